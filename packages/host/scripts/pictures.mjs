// Takes the pictures of the documentation, docs/tester/*.webp, with the example plugins. Needs Chromium, as the tests do.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const pictures = join(root, 'docs/tester')
const logs = mkdtempSync(join(tmpdir(), 'appfactory-'))
mkdirSync(pictures, { recursive: true })

const tester = spawn(
  process.execPath,
  ['packages/host/bin/appfactory-host.js', 'tester', '--plugins-dir', 'examples/plugins', '--log-dir', logs],
  { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
)
const url = await new Promise((resolve) => {
  tester.stdout.on('data', (chunk) => {
    const [found] = /http:\S+/.exec(chunk) ?? []
    if (found) resolve(found)
  })
})
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
})
const page = await browser.newPage()
try {
  await page.goto(url)
  await page.locator('#plugin-title').waitFor()
  for (const plugin of ['tts_tone', 'tts_flite']) await load(plugin)
  await invoke('tts_flite', 'synthesize', 'text required', 'Good morning. The fox is here.')
  await page.locator('.result audio').waitFor()
  await load('stt_pocketsphinx')
  await visit('invoke', 'stt_pocketsphinx')
  await page.getByRole('button', { name: 'Use last speech' }).click()
  await page.getByRole('button', { name: /^Invoke/ }).click()
  await page.locator('.written').waitFor()
  await talk()
  await runLoad()
  await visit('checks', 'tts_tone')
  await page.getByRole('button', { name: 'Run all' }).click()
  await page.getByRole('button', { name: 'Run all' }).waitFor({ timeout: 60_000 })
  const { pid } = await health('tts_tone')
  await watchWire()
  process.kill(pid, 'SIGKILL')
  // A minute of history makes a chart.
  await page.waitForTimeout(Number(process.env.WAIT ?? 40_000))
  for (const [width, height] of [
    [1280, 800],
    [375, 812],
  ]) {
    for (const colorScheme of ['light', 'dark']) {
      await page.setViewportSize({ width, height })
      await page.emulateMedia({ colorScheme })
      for (const [name, section, plugin] of [
        ['plugin', 'plugin', 'llm_llama'],
        ['invoke', 'invoke', 'tts_flite'],
        ['hear', 'invoke', 'stt_pocketsphinx'],
        ['health', 'health', ''],
        ['load', 'load', 'tts_flite'],
        ['checks', 'checks', 'tts_tone'],
        ['wire', 'wire', 'tts_flite'],
        ['talk', 'talk', ''],
      ])
        await take(section, plugin, `${name}-${width}-${colorScheme}`)
    }
  }
} finally {
  await browser.close()
  tester.kill()
  rmSync(logs, { recursive: true, force: true })
}

async function visit(section, plugin) {
  await page.evaluate((hash) => {
    location.hash = hash
  }, `#/${section}/${plugin}`)
}

async function load(plugin) {
  await visit('plugin', plugin)
  await page.getByRole('button', { name: 'Load', exact: true }).click()
  await page.getByRole('link', { name: 'Invoke a method' }).waitFor()
}

async function invoke(plugin, method, label, text) {
  await visit('invoke', plugin)
  await page.locator('.chips button', { hasText: method }).first().click()
  await page.getByLabel(label).fill(text)
  await page.getByRole('button', { name: /^Invoke/ }).click()
}

async function talk() {
  await visit('talk', '')
  await page.getByLabel('Voice', { exact: true }).selectOption('tts_flite')
  // The first answer loads the model, which makes no usual picture.
  for (const said of ['hello how are you today', 'tell me a story about a brave fox']) {
    await page.getByLabel('What you say').fill(said)
    await page.getByLabel('What you say').press('Enter')
    await page.locator('.turn:last-child[data-state=done]', { hasText: said }).waitFor({ timeout: 60_000 })
    if (said.startsWith('hello')) await page.getByRole('button', { name: 'Clear conversation' }).click()
  }
}

async function runLoad() {
  await visit('load', 'tts_flite')
  await page.getByLabel('text required').fill('Hello')
  await page.getByLabel('Callers').fill('4')
  await page.getByLabel('Seconds').fill('12')
  await page.getByLabel('In the middle').selectOption('tts_flite')
  await page.getByRole('button', { name: 'Start' }).click()
  await page.locator('[data-done=true]').waitFor({ timeout: 60_000 })
}

/** Shows a call on the wire. */
async function watchWire() {
  await visit('wire', 'tts_flite')
  await page.getByRole('heading', { name: 'Wire' }).waitFor()
  await invoke('tts_flite', 'synthesize', 'text required', 'Good morning. The fox is here.')
  await page.locator('.result[data-state=done]').waitFor()
  await visit('wire', 'tts_flite')
  await page.locator('.log-line.sent', { hasText: 'Good morning' }).click()
  await page.getByRole('button', { name: 'Pause' }).click()
}

async function health(plugin) {
  await visit('health', plugin)
  await page
    .getByRole('region', { name: `Health of ${plugin}` })
    .or(page.locator('summary', { hasText: 'quiet' }))
    .first()
    .waitFor()
  for (const quiet of await page.locator('summary', { hasText: 'quiet' }).all()) await quiet.click()
  const card = page.getByRole('region', { name: `Health of ${plugin}` })
  await card.getByRole('button').first().click()
  const pid = page
    .locator(`[aria-label="Health of ${plugin}"] .figures div`, { hasText: 'process' })
    .locator('dd')
  await pid.filter({ hasText: /\d/ }).waitFor()
  const found = Number(await pid.innerText())
  await card.getByRole('button').first().click()
  return { pid: found }
}

/** Where this clone lies is nobody's concern. */
async function hideFolder() {
  await page.evaluate((folder) => {
    for (const element of document.querySelectorAll('dd'))
      if (element.textContent.startsWith(folder))
        element.textContent = element.textContent.slice(folder.length)
  }, root)
}

/** As WebP, which the browser itself can make: a third of a PNG. */
async function take(section, plugin, name) {
  await visit(section, plugin)
  await page.waitForTimeout(400)
  await hideFolder()
  const png = (await page.screenshot()).toString('base64')
  const canvas = await browser.newPage()
  const webp = await canvas.evaluate(async (source) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${source}`)).blob())
    const { width, height } = bitmap
    const element = new OffscreenCanvas(width, height)
    element.getContext('2d').drawImage(bitmap, 0, 0)
    const blob = await element.convertToBlob({ type: 'image/webp', quality: 0.9 })
    const reader = new FileReader()
    const read = new Promise((resolve) => {
      reader.onload = resolve
    })
    reader.readAsDataURL(blob)
    await read
    return reader.result.split(',')[1]
  }, png)
  await canvas.close()
  writeFileSync(join(pictures, `${name}.webp`), Buffer.from(webp, 'base64'))
  if (process.env.PNG_DIR) writeFileSync(join(process.env.PNG_DIR, `${name}.png`), Buffer.from(png, 'base64'))
}
