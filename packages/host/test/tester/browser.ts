import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { makeFolder, writePlugin } from '../fixtures/plugins.js'

export const examples = fileURLToPath(new URL('../../../../examples/plugins', import.meta.url))
const command = fileURLToPath(new URL('../../bin/appfactory-host.js', import.meta.url))

/** An LLM plugin that never stops by itself, and says so when it is cancelled. Its chats have 40 words. */
const endless = `
import { LLMContract } from '@appfactory/sdk'
export default class extends LLMContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async complete(prompt) { return { text: prompt, finishReason: 'stop' } }
  async chat(messages) { return messages[0] }
  async getModels() { return [] }
  async *streamChat([{ content }]) {
    for (let at = 1; at <= 40; at++) {
      await new Promise((resolve) => setTimeout(resolve, 20))
      yield content + at + ' '
    }
  }
  async *streamComplete(prompt, { signal }) {
    try {
      for (let at = 1; !signal.aborted; at++) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        yield prompt + at + ' '
      }
    } finally {
      console.warn('stopped by its caller')
    }
  }
}
`

/** What would run if the page took it for more than text. */
export const hostile = '<img src=x onerror="document.title=1"><script>document.title=1</script>'

const hostilePlugin = `
import { LLMContract } from '@appfactory/sdk'
const evil = ${JSON.stringify(hostile)}
export default class extends LLMContract {
  async initialize() { console.log(evil) }
  async shutdown() {}
  async healthCheck() { return { status: this.status, message: evil } }
  async complete() { return { text: evil, finishReason: 'stop' } }
  async chat() { throw new Error(evil) }
  async getModels() { return [{ id: evil }] }
}
`

/** The command, as a person starts it. */
export interface RunningTester {
  url: string
  /** From the start of the command to its URL, in ms. */
  upMs: number
  stop(): Promise<void>
}

/** Starts `appfactory-host tester` on the examples and on plugins that misbehave. */
export async function startCommand(root: string): Promise<RunningTester> {
  const own = join(root, 'plugins')
  writePlugin(own, 'endless', endless, { contract: 'llm' })
  writePlugin(own, 'hostile', hostilePlugin, { contract: 'llm', description: hostile, display_name: hostile })
  writePlugin(own, 'broken', '', { version: 'not one' })
  const begun = performance.now()
  const child = spawn(
    process.execPath,
    [command, 'tester', '--plugins-dir', examples, '--plugins-dir', own, '--log-dir', join(root, 'logs')],
    { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const url = await firstUrl(child)
  return {
    url,
    upMs: performance.now() - begun,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

/** @param more Arguments of the browser. */
export function launch(executablePath: string, more: readonly string[] = []): Promise<Browser> {
  // As root, as in a container, Chromium has no sandbox of its own.
  const args = [
    '--no-sandbox',
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    ...more,
  ]
  return chromium.launch({ executablePath, args })
}

/** What the tests of a file share: a tester, and a page of it in a browser. */
export interface OpenPage {
  readonly tester: RunningTester
  readonly page: Page
  /** Errors of the page since the test began; a test that expects some empties it. */
  readonly problems: string[]
}

/** Opens a page before the tests of a `describe`; each of them fails on an error in the page. */
export function openPage(executablePath: string, prepare: (root: string) => void = () => {}): OpenPage {
  const folder = makeFolder()
  const problems: string[] = []
  let tester: RunningTester | undefined
  let browser: Browser | undefined
  let page: Page | undefined

  beforeAll(async () => {
    prepare(folder.path)
    ;[tester, browser] = await Promise.all([startCommand(folder.path), launch(executablePath)])
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      permissions: ['microphone', 'clipboard-read', 'clipboard-write'],
    })
    page = await context.newPage()
    page.on('pageerror', ({ message }) => problems.push(message))
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    await page.goto(tester.url)
    await page.locator('.plugin-list a').first().waitFor()
  })

  afterAll(async () => {
    await browser?.close()
    await tester?.stop()
    folder.remove()
  })

  beforeEach(() => {
    problems.length = 0
    onTestFinished(() => expect(problems).toEqual([]))
  })

  return {
    problems,
    get tester() {
      return opened(tester)
    },
    get page() {
      return opened(page)
    },
  }
}

function opened<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('It is not open yet')
  return value
}

/** Invokes the method that is shown, and waits for what comes of it. */
export async function invoke(page: Page): Promise<void> {
  const entries = page.locator('.history li')
  const before = await entries.count()
  await page.getByRole('button', { name: /^Invoke/ }).click()
  await expect.poll(() => entries.count()).toBe(before + 1)
  await page.locator('.result:not([data-state=running])').waitFor()
}

/** Goes to a section of a plugin by the address. */
export async function visit(page: Page, section: string, plugin = ''): Promise<void> {
  await page.evaluate((hash) => {
    location.hash = hash
  }, `#/${section}/${plugin}`)
}

/** Opens a plugin's card on the Health Dashboard. */
export async function showCharts(page: Page, plugin: string): Promise<void> {
  const card = page.getByRole('region', { name: `Health of ${plugin}` })
  const quiet = page.locator('summary', { hasText: 'quiet plugin' })
  await card.or(quiet).first().waitFor()
  if (!(await card.isVisible())) await quiet.click()
  const button = card.getByRole('button').first()
  if ((await button.getAttribute('aria-expanded')) === 'false') await button.click()
}

/** Loads a plugin by its form, unless it is loaded. */
export async function load(page: Page, plugin: string): Promise<void> {
  await visit(page, 'plugin', plugin)
  const title = page.locator('#plugin-title')
  await title.waitFor()
  const button = page.getByRole('button', { name: 'Load', exact: true })
  const invoke = page.getByRole('link', { name: 'Invoke a method' })
  await button.or(invoke).first().waitFor()
  if (await button.isVisible()) await button.click()
  await invoke.waitFor()
  // It is there while the plugin starts.
  await page.locator('.title .status.good').waitFor()
}

/** Chooses a method in the Method Invoker. */
export async function choose(page: Page, plugin: string, method: string): Promise<void> {
  await load(page, plugin)
  await visit(page, 'invoke', plugin)
  await page
    .locator('.chips button')
    .filter({ hasText: new RegExp(`^${method}(stream)?$`) })
    .click()
}

/** A spoken sentence as a WAV file. */
export async function speak(text: string): Promise<Buffer> {
  await using host = new PluginHost({ pluginsDir: examples })
  await host.load('tts_flite')
  const result = await host.call('tts_flite', 'synthesize', { text })
  return Buffer.from((result as { audio_b64: string }).audio_b64, 'base64')
}

async function firstUrl(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk)
    const [url] = /http:\S+/.exec(text) ?? []
    if (url) return url
  }
  throw new Error(`The command has ended: ${text}`)
}
