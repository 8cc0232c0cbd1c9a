// Measures the Plugin Tester: how fast it is there, how much it loads, whether it keeps responding under a flood.
// Needs Chromium: in PATH as `chromium`, or named by CHROMIUM. Prints JSON.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { chromium } from 'playwright-core'

const command = fileURLToPath(new URL('../packages/host/bin/appfactory-host.js', import.meta.url))
const assets = fileURLToPath(new URL('../packages/host/dist/tester/page/assets', import.meta.url))
const rounds = 5
const floodMs = 5000

/** Writes 2,000 lines a second; its calls take 16 ms, so that eight callers make 500 calls a second. */
const flooding = `
import { LLMContract } from '@appfactory/sdk'
import { median } from '../scripts/lib/statistics.mjs'
export default class extends LLMContract {
  async initialize() {
    let line = 0
    this.timer = setInterval(() => { for (let at = 0; at < 20; at++) console.log('line ' + ++line + ' of a plugin that has a lot to say') }, 10)
  }
  async shutdown() { clearInterval(this.timer) }
  async healthCheck() { return { status: this.status } }
  async complete() { await new Promise((resolve) => setTimeout(resolve, 15)); return { text: 'x', finishReason: 'stop' } }
  async chat(messages) { return messages[0] }
  async getModels() { return [] }
}
`

const folder = mkdtempSync(join(tmpdir(), 'appfactory-'))
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
})
try {
  writePlugin('flooding', flooding)
  const starts = []
  for (let round = 0; round < rounds; round++) starts.push(await measureStart())
  const report = {
    start_ms: {
      command_to_url: Math.round(median(starts.map(({ upMs }) => upMs))),
      command_to_usable: Math.round(median(starts.map(({ usableMs }) => usableMs))),
      host_to_server: Math.round(median(await Promise.all([1, 2, 3].map(measureServer)))),
    },
    javascript_gzip_kb: Math.round(javascriptBytes() / 100) / 10,
    flood: await measureFlood(),
  }
  console.log(JSON.stringify(report, null, 2))
} finally {
  await browser.close()
  rmSync(folder, { recursive: true })
}

async function measureStart() {
  const begun = performance.now()
  const { url, stop } = await start()
  const upMs = performance.now() - begun
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(url)
  await page.locator('#plugin-title').waitFor()
  const usableMs = performance.now() - begun
  await context.close()
  await stop()
  return { upMs, usableMs }
}

/** From a host that is there to a server that answers, loading its code included. */
function measureServer() {
  const program = `
    import { PluginHost } from '@appfactory/host'
    const host = new PluginHost({ pluginsDir: ${JSON.stringify(folder)} })
    const begun = performance.now()
    const { serveTester } = await import('@appfactory/host/tester')
    const tester = await serveTester(host)
    await fetch('http://127.0.0.1:' + tester.port)
    console.log(performance.now() - begun)
    await tester.close()
    await host.close()
  `
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child.stdout.on('data', (chunk) => resolve(Number(chunk)))
    child.on('error', reject)
  })
}

async function measureFlood() {
  const { url, stop } = await start()
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  await page.goto(url)
  await page.locator('#plugin-title').waitFor()
  await page.getByRole('button', { name: 'Load', exact: true }).click()
  await page.getByRole('link', { name: 'Invoke a method' }).waitFor()
  await go(page, 'load')
  await page.getByLabel('Seconds').fill('60')
  await page.getByRole('button', { name: 'Start' }).click()
  await page.getByRole('region', { name: 'Load result' }).waitFor()
  const longest = {}
  for (const section of ['load', 'logs', 'health', 'plugin', 'invoke']) {
    await go(page, section)
    longest[section] = await page.evaluate(longestTask, floodMs)
  }
  await go(page, 'load')
  const figures = await page.locator('[aria-label="Load result"] .tiles').innerText()
  await go(page, 'logs')
  const lines = await page.locator('.log-head').innerText()
  const rows = await page.locator('.log-line').count()
  await page.getByRole('searchbox').fill('line 1')
  longest.filter = await page.evaluate(longestTask, floodMs)
  await page.close()
  await stop()
  return {
    calls_per_second: Number(/calls\/s\n(.*)/.exec(figures)?.[1]),
    lines: lines.split('\n').at(-1),
    rows_in_the_page: rows,
    longest_task_ms: longest,
  }
}

/** The longest task of the page while `ms` pass; 0: none of 50 ms. Runs in the browser. */
async function longestTask(ms) {
  let longest = 0
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration)
  })
  observer.observe({ type: 'longtask' })
  await new Promise((resolve) => setTimeout(resolve, ms))
  observer.disconnect()
  return longest
}

function start() {
  const child = spawn(
    process.execPath,
    [command, 'tester', '--plugins-dir', join(folder, 'plugins'), '--log-dir', join(folder, 'logs')],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const stop = () => {
    child.kill()
    return ended
  }
  return new Promise((resolve) => {
    child.stdout.on('data', (chunk) => {
      const [url] = /http:\S+/.exec(chunk) ?? []
      if (url) resolve({ url, stop })
    })
  })
}

async function go(page, section) {
  await page.evaluate((hash) => {
    location.hash = hash
  }, `#/${section}/flooding`)
}

function writePlugin(name, source) {
  const dir = join(folder, 'plugins', name)
  mkdirSync(dir, { recursive: true })
  const manifest = { name, version: '1.0.0', contract: 'llm', entry_point: 'index.js' }
  writeFileSync(join(dir, 'manifest.json'), JSON.stringify(manifest))
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
  writeFileSync(join(dir, 'index.js'), source)
}

function javascriptBytes() {
  const files = readdirSync(assets).filter((file) => file.endsWith('.js'))
  return files.reduce((sum, file) => sum + gzipSync(readFileSync(join(assets, file))).length, 0)
}
