import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { choose, invoke, load, openPage, showCharts, visit } from './browser.js'
import { findChromium } from './chromium.js'

const chromium = findChromium()

/** Prints a line of each level, and one more whenever it is asked for its voices. */
const chatty = ttsPlugin(`
  async initialize() {
    console.debug('a small thing')
    console.log('needle in the hay')
    console.warn('careful')
    console.error('went wrong')
  }
  async getVoices() { console.log('asked again'); return super.getVoices() }`)

/** Has every kind of option, and does not start in a bad mood. */
const picky = ttsPlugin(`
  async initialize(config) { if (config.mood === 'bad') throw new Error('not in that mood') }
  async getVoices() { console.log('voices'); return [{ id: 'low', name: 'Deep', language: 'de-DE' }] }
  captureState() { return { spoken: 1 } }
  restoreState() {}`)
const pickySchema = {
  type: 'object',
  required: ['mood'],
  properties: {
    mood: { enum: ['good', 'bad'] },
    api_key: { type: 'string', format: 'password' },
    speed: { type: 'number', default: 1 },
    output: {
      oneOf: [
        { title: 'a file', type: 'object', required: ['path'], properties: { path: { type: 'string' } } },
        { title: 'a port', type: 'integer' },
      ],
    },
  },
}

/** Answers with what was said. */
const parrot = `
import { LLMContract } from '@appfactory/sdk'
export default class extends LLMContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async complete(prompt) { return { text: prompt, finishReason: 'stop' } }
  async chat(messages) { return { role: 'assistant', content: messages.length + ' ' + messages.at(-1).content } }
  async getModels() { return [] }
}`

/** Ignores its signal; with a text, its event loop does not turn any more. */
const deaf = ttsPlugin(`
  async synthesize(text) { for (;;) if (text === '') await new Promise((resolve) => setTimeout(resolve, 60_000)) }`)

describe.skipIf(chromium === undefined)(
  'sections of the Plugin Tester, in Chromium',
  { timeout: 60_000 },
  () => {
    const open = openPage(chromium ?? '', (path) => {
      const plugins = join(path, 'plugins')
      writePlugin(plugins, 'chatty', chatty)
      writePlugin(plugins, 'other', ttsPlugin(), { version: '2.0.0' })
      writePlugin(plugins, 'picky', picky, { config_schema: pickySchema })
      writePlugin(plugins, 'parrot', parrot, { contract: 'llm' })
      writePlugin(plugins, 'deaf', deaf)
      // An example has that name already.
      writePlugin(plugins, 'vad_fvad', ttsPlugin())
    })

    it('skips to the content with the first key, and stays in the section', async () => {
      const { page } = open
      await visit(page, 'health')
      await page.getByRole('heading', { name: 'Health', exact: true }).waitFor()
      await page.locator('.skip').focus()
      await page.keyboard.press('Enter')
      await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('main')
      expect(new URL(page.url()).hash).toBe('#/health/')
      await page.getByRole('heading', { name: 'Health', exact: true }).waitFor()
    })

    it('goes to a section with a key, and the focus goes along', async () => {
      const { page } = open
      await page.getByRole('link', { name: 'Plugin', exact: true }).focus()
      await page.keyboard.press('6')
      await page.getByRole('heading', { name: 'Logs' }).waitFor()
      await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('main')
    })

    it('shows what happened to each plugin, a swap as one row', async () => {
      const { page } = open
      await load(page, 'chatty')
      await page.getByRole('button', { name: 'Reload' }).click()
      await page.getByText(/^chatty 1\.0\.0 serves after/).waitFor()
      await visit(page, 'health')
      const row = page.locator('.timeline > li', { hasText: 'for itself' })
      await expect.poll(() => row.count()).toBe(1)
      await row.locator('summary').click()
      await expect.poll(() => row.locator('ul').innerText()).toMatch(/start took[\s\S]*retire took/)
      const card = page.getByRole('region', { name: 'Health of chatty' })
      await showCharts(page, 'chatty')
      for (const name of ['Memory', 'Event-loop delay', 'Calls in flight', 'Restarts', 'Noise'])
        await card.getByRole('img', { name: new RegExp(`^${name}, the last minutes; now `) }).waitFor()
      await card.getByText('No calls yet.').waitFor()
      await page
        .getByRole('region', { name: 'Host' })
        .getByRole('img', { name: /^Restarts/ })
        .waitFor()
      expect(await page.locator('.plugin-list [aria-current]').count()).toBe(0)
    })

    it('unloads, reloads and swaps', async () => {
      const { page } = open
      await load(page, 'chatty')
      await page.getByRole('button', { name: 'Reload' }).click()
      await page.getByText(/^chatty 1\.0\.0 serves after/).waitFor()
      await page.getByLabel('Plugin to swap in').selectOption('other')
      await page.getByRole('button', { name: 'Swap', exact: true }).click()
      await expect.poll(() => new URL(page.url()).hash).toBe('#/plugin/other')
      await page.getByRole('button', { name: 'Unload' }).click()
      await page.getByRole('button', { name: 'Load', exact: true }).waitFor()
    })

    it('loads from where a plugin is needed', async () => {
      const { page } = open
      for (const section of ['invoke', 'load']) {
        await visit(page, section, 'other')
        await page.getByRole('button', { name: 'Load other' }).click()
        await page.getByLabel('text required').waitFor()
        await visit(page, 'plugin', 'other')
        await page.getByRole('button', { name: 'Unload' }).click()
        await page.getByRole('button', { name: 'Load', exact: true }).waitFor()
      }
    })

    it('keeps what was typed when a load fails, and says why, wherever it was asked for', async () => {
      const { page } = open
      await visit(page, 'plugin', 'picky')
      const mood = page.getByLabel('mood required')
      const loadButton = page.getByRole('button', { name: 'Load', exact: true })
      expect(await mood.inputValue()).toBe('')
      await loadButton.click()
      await page.getByText(/^Not loaded\. mood/).waitFor()
      await mood.selectOption('bad')
      await page.locator('summary', { hasText: '3 optional' }).click()
      const secret = page.getByLabel('api key')
      await secret.fill('hush')
      expect(await secret.getAttribute('type')).toBe('password')
      await page.getByRole('combobox', { name: 'output' }).selectOption('a file')
      await page.getByLabel('path required').fill('a.wav')
      await loadButton.click()
      const problem = page.locator('.problem-card')
      await expect.poll(() => problem.innerText()).toMatch(/not in that mood/)
      expect(await mood.locator('option:checked').innerText()).toBe('bad')
      expect(await page.getByLabel('path required').inputValue()).toBe('a.wav')
      await visit(page, 'invoke', 'picky')
      await page.getByRole('button', { name: 'Load picky' }).click()
      await page.getByText('Loading…').waitFor({ state: 'detached' })
      await expect.poll(() => problem.innerText()).toMatch(/not in that mood/)
      await visit(page, 'plugin', 'picky')
      await page.getByRole('combobox', { name: 'output' }).selectOption('')
      await mood.selectOption('good')
      await load(page, 'picky')
    })

    it('shows what a plugin runs with, and reloads it with something else', async () => {
      const { page } = open
      await visit(page, 'plugin', 'picky')
      await page.locator('summary', { hasText: 'that it runs with' }).click()
      expect(await page.getByLabel('speed').inputValue()).toBe('1')
      await page.getByLabel('speed').fill('3')
      await page.getByRole('button', { name: 'Reload with this configuration' }).click()
      await page.getByText(/^picky 1\.0\.0 serves after .* its state went over/).waitFor()
      await page.getByText('3 optional, 2 given').waitFor()
      await expect.poll(() => page.getByLabel('speed').inputValue()).toBe('3')
    })

    it('offers the voices of a plugin, asks for them once, and takes any other text', async () => {
      const { page } = open
      await visit(page, 'invoke', 'picky')
      await page.locator('.chips button', { hasText: 'get_voice_info' }).click()
      const voice = page.getByLabel('voice id required')
      const choices = page.locator('datalist option')
      expect(await choices.count()).toBe(0)
      await voice.focus()
      await expect
        .poll(() => choices.evaluateAll((all) => all.map((each) => each.outerHTML)))
        .toEqual(['<option label="Deep" value="low"></option>'])
      await voice.blur()
      await voice.fill('another')
      await page.locator('main').focus()
      await page.keyboard.press('Control+Enter')
      await expect.poll(() => page.locator('.result .problem-card').innerText()).toMatch(/another/)
      await visit(page, 'plugin', 'picky')
      await expect.poll(() => page.locator('.log-text', { hasText: 'voices' }).count()).toBe(2)
    })

    it('swaps without the state of the old one, and with a configuration for the new one', async () => {
      const { page } = open
      await visit(page, 'plugin', 'picky')
      await page.getByLabel('Plugin to swap in').selectOption('other')
      const swap = page.getByRole('button', { name: 'Swap', exact: true })
      await page.locator('summary', { hasText: 'Configuration of other' }).click()
      await page.getByLabel('JSON').fill('{"loudness": 11}')
      await swap.click()
      await expect.poll(() => page.locator('.problem-card').innerText()).toMatch(/HOTSWAP_FAILED/)
      await page.getByLabel('carry its state over').uncheck()
      await swap.click()
      await expect.poll(() => new URL(page.url()).hash).toBe('#/plugin/other')
      await page.locator('summary', { hasText: 'that it runs with' }).click()
      await expect.poll(() => page.getByLabel('JSON').inputValue()).toBe('{\n  "loudness": 11\n}')
      await page.getByRole('button', { name: 'Unload' }).click()
      await page.getByRole('button', { name: 'Load', exact: true }).waitFor()
    })

    it('checks a plugin with a configuration', async () => {
      const { page } = open
      await visit(page, 'checks', 'picky')
      const counts = page.locator('.actions .counts')
      await page.locator('summary', { hasText: 'Configuration for the checks' }).click()
      await page.getByLabel('mood required').selectOption('bad')
      await page.getByRole('button', { name: 'Run all' }).click()
      await page.getByRole('button', { name: 'Run all' }).waitFor()
      await expect.poll(() => counts.innerText()).toMatch(/1 failed/)
      await page.getByLabel('mood required').selectOption('good')
      await page.getByRole('button', { name: 'Run lifecycle.initialize again' }).click()
      await expect.poll(() => counts.innerText()).not.toMatch(/failed/)
    })

    it('begins a load test with arguments that the plugin takes', async () => {
      const { page } = open
      await load(page, 'picky')
      await visit(page, 'load', 'picky')
      await page.getByLabel('Method of picky').selectOption('get_voice_info')
      await expect.poll(() => page.getByLabel('voice id required').inputValue()).toBe('low')
      await page.getByLabel('Seconds').fill('0.5')
      await page.getByRole('button', { name: 'Start' }).click()
      await page.locator('[data-done=true]').waitFor()
      expect(await page.locator('.lost.good').innerText()).toBe('0 lost')
      await page.getByRole('textbox', { name: 'Arguments as JSON' }).fill('{"voice_id": 7}')
      await page.getByRole('button', { name: 'Start' }).click()
      await expect
        .poll(() => page.locator('[data-done=true] .refused').innerText())
        .toMatch(/[1-9].* refused/)
      expect(await page.locator('.lost.quiet').innerText()).toBe('0 lost')
    })

    it('keeps calls, arguments and results over a reload, and knows then what the plugin runs with', async () => {
      const { page } = open
      await choose(page, 'picky', 'synthesize')
      await page.getByLabel('text required').fill('to be kept')
      await invoke(page)
      await page.getByLabel('text required').fill('not called yet')
      await page.reload()
      await page.locator('.result[data-state=done] audio').waitFor()
      expect(await page.getByLabel('text required').inputValue()).toBe('not called yet')
      expect(await page.locator('.history li').first().innerText()).toMatch(/to be kept/)
      await page.getByLabel('Copy synthesize as').first().selectOption('shell command')
      await page.getByText('Copied').waitFor()
      const copied = await page.evaluate(() => navigator.clipboard.readText())
      expect(copied).toMatch(/call picky synthesize .*--config .*"mood":"good"/)
    })

    it('shows each plugin at a glance, and folds the quiet ones', async () => {
      const { page } = open
      await load(page, 'chatty')
      await load(page, 'parrot')
      await visit(page, 'health')
      const busy = page.getByRole('region', { name: 'Health of picky' })
      await busy.getByRole('img', { name: 'Memory of picky, the last minutes' }).waitFor()
      await page.locator('summary', { hasText: /quiet plugins?: ready/ }).click()
      await page.getByRole('region', { name: 'Health of parrot' }).getByText('in flight').waitFor()
      await showCharts(page, 'picky')
      await busy.getByRole('img', { name: /^Event-loop delay, the last minutes; now/ }).waitFor()
    })

    it('says what a cancel has come to', async () => {
      const { page } = open
      await choose(page, 'deaf', 'synthesize')
      const result = page.locator('.result')
      await page.keyboard.press('Control+Enter')
      await expect.poll(() => page.locator('.result .elapsed').innerText()).toMatch(/^(?!0\.0)\d+\.\d s/)
      await page.keyboard.press('Escape')
      await expect.poll(() => result.innerText()).toMatch(/still working on it: its method ignores/)
      await page.getByLabel('text required').fill('hang')
      // As soon as it can be seen that the call runs, a key cancels it.
      await page.evaluate(() => {
        const seen = new MutationObserver(() => {
          if (!document.querySelector('.result[data-state=running]')) return
          seen.disconnect()
          document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }))
        })
        seen.observe(document.body, { subtree: true, childList: true, attributes: true })
      })
      await page.keyboard.press('Control+Enter')
      await expect.poll(() => result.innerText()).toMatch(/was asked to stop .* has not answered/)
      await page.getByRole('button', { name: 'Stop waiting' }).click()
      await expect.poll(() => result.innerText()).toMatch(/You stopped waiting/)
    })

    it('goes on with a chat: the answer is in it, and the next turn is typed below', async () => {
      const { page } = open
      await choose(page, 'parrot', 'chat')
      await page.getByLabel('content required').fill('hello')
      await page.keyboard.press('Control+Enter')
      await expect.poll(() => page.locator('.written').innerText()).toBe('1 hello')
      await expect.poll(() => page.locator('.turn').count()).toBe(3)
      await page.keyboard.type('and now')
      await page.keyboard.press('Control+Enter')
      await expect.poll(() => page.locator('.written').innerText()).toBe('3 and now')
      await page.getByRole('button', { name: 'New conversation' }).click()
      await expect.poll(() => page.locator('.turn').count()).toBe(1)
    })

    it('shows a call and its result at once, without scrolling', async () => {
      const { page } = open
      await choose(page, 'other', 'synthesize')
      await page.getByLabel('text required').fill('All in sight.')
      await invoke(page)
      for (const part of [page.locator('.result'), page.getByRole('button', { name: /^Invoke/ })]) {
        const box = await part.boundingBox()
        expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(800)
      }
      expect(await page.evaluate(() => document.documentElement.scrollTop)).toBe(0)
    })

    it('says that a plugin is not there, and tells two of one name apart', async () => {
      const { page } = open
      await visit(page, 'invoke', 'nothere')
      await page.getByRole('heading', { name: 'There is no plugin “nothere”' }).waitFor()
      await page.locator('.plugin-list a', { hasText: 'vad_fvad' }).nth(1).click()
      await page.getByRole('link', { name: 'See why' }).click()
      await expect.poll(() => page.locator('.problem-card').innerText()).toMatch(/vad_fvad/)
      await page.keyboard.press('?')
      await page.getByRole('heading', { name: 'Keys' }).waitFor()
      await page.keyboard.press('Escape')
    })

    it('shows the lines of a level, and those with a text', async () => {
      const { page } = open
      await load(page, 'chatty')
      await visit(page, 'logs')
      const texts = (): Promise<string[]> => page.locator('.log-text').allInnerTexts()
      await page.getByLabel('Least level').selectOption('WARNING')
      await expect.poll(texts).toEqual(expect.arrayContaining(['careful', 'went wrong']))
      await expect.poll(texts).not.toContain('needle in the hay')
      await page.getByLabel('Least level').selectOption('ERROR')
      await expect.poll(texts).not.toContain('careful')
      await page.getByLabel('Least level').selectOption('DEBUG')
      await page.getByRole('searchbox').fill('NEEDLE')
      await expect.poll(async () => [...new Set(await texts())]).toEqual(['needle in the hay'])
      await expect.poll(() => page.locator('.log-text mark').first().innerText()).toBe('needle')
      await page.getByRole('searchbox').fill('')
    })

    it('shows the lines of one plugin, stands still while it is paused, and saves what it shows', async () => {
      const { page } = open
      await visit(page, 'logs')
      const texts = (): Promise<string[]> => page.locator('.log-text').allInnerTexts()
      await page.getByLabel('Plugin', { exact: true }).selectOption('chatty')
      await page.getByLabel('Least level').selectOption('WARNING')
      await expect.poll(async () => new Set(await texts())).toEqual(new Set(['careful', 'went wrong']))
      expect(await page.locator('.log-level').first().innerText()).toBe('WARNING')
      await page.getByLabel('Least level').selectOption('DEBUG')
      await page.getByRole('button', { name: 'Pause' }).click()
      const before = await texts()
      await page.evaluate(async () => {
        const params = { plugin: 'chatty', method: 'get_voices' }
        const body = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'plugin/call', params })}\n`
        await (await fetch('/rpc', { method: 'POST', body })).text()
      })
      const resume = page.getByRole('button', { name: 'Resume (1 new)' })
      await resume.waitFor()
      expect(await texts()).toEqual(before)
      await resume.click()
      await expect.poll(async () => (await texts()).at(-1)).toBe('asked again')
      const saving = page.waitForEvent('download')
      await page.getByRole('button', { name: 'Download' }).click()
      const saved = await saving
      expect(saved.suggestedFilename()).toBe('chatty.log')
      expect(readFileSync(await saved.path(), 'utf8')).toMatch(/^\d{4}-\S+Z INFO chatty needle in the hay\n/m)
      await page.getByLabel('Plugin', { exact: true }).selectOption('')
    })

    it('shows the wire of a plugin, filtered, paused and saved', async () => {
      const { page } = open
      const texts = (): Promise<string[]> => page.locator('.log-text').allInnerTexts()
      await visit(page, 'wire', 'chatty')
      await page.getByRole('heading', { name: 'Wire' }).waitFor()
      // It goes on while another section is shown.
      await choose(page, 'chatty', 'synthesize')
      await page.getByLabel('text required').fill('on the wire')
      await invoke(page)
      await visit(page, 'wire', 'chatty')
      const call = page.locator('.log-line.sent', { hasText: '"text":"on the wire"' })
      await call.click()
      expect(JSON.parse(await page.locator('.log-detail pre').innerText())).toMatchObject({
        method: 'plugin/call',
        params: { method: 'synthesize', args: { text: 'on the wire' } },
      })
      await page.locator('.log-line.received', { hasText: '"format":"wav"' }).first().waitFor()
      expect(await texts()).not.toContainEqual(expect.stringContaining('plugin/health'))
      await page.getByLabel('health checks').check()
      await page.locator('.log-line.sent', { hasText: '"method":"plugin/health"' }).first().waitFor()
      await page.getByRole('searchbox').fill('ON THE wire')
      await expect.poll(async () => (await texts()).length).toBe(1)
      const saving = page.waitForEvent('download')
      await page.getByRole('button', { name: 'Download' }).click()
      const saved = readFileSync(await (await saving).path(), 'utf8')
      expect(JSON.parse(saved)).toMatchObject({ plugin: 'chatty', direction: 'to plugin' })
      await page.getByRole('searchbox').fill('')
      await page.getByRole('button', { name: 'Pause' }).click()
      await page.getByRole('button', { name: 'Resume' }).waitFor()
      await page.getByRole('button', { name: 'Clear' }).click()
      await page.getByText('Nothing yet.').waitFor()
    })

    it('opens a line with keys, and closes it when all are cleared', async () => {
      const { page } = open
      await visit(page, 'logs')
      await page.getByRole('listbox', { name: 'Log lines' }).focus()
      await page.keyboard.press('Home')
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('Enter')
      const first = await page.locator('.log-text').nth(1).innerText()
      await expect.poll(() => page.locator('.log-detail pre').innerText()).toBe(first)
      await page.getByRole('button', { name: 'Clear' }).click()
      await page.getByText('Nothing yet.').waitFor()
      await expect.poll(() => page.locator('.log-detail').count()).toBe(0)
      await page.locator('.rail').getByRole('link', { name: 'chatty' }).click()
      await visit(page, 'invoke', 'chatty')
      await page.locator('.chips button', { hasText: 'get_voices' }).click()
      await page.getByRole('button', { name: /^Invoke/ }).click()
      await visit(page, 'logs')
      await expect.poll(() => page.locator('.log-text').allInnerTexts()).toEqual(['asked again'])
    })

    it('goes on with checks and a load run while another section is shown', async () => {
      const { page } = open
      await load(page, 'chatty')
      await visit(page, 'load', 'chatty')
      await page.getByLabel('Seconds').fill('600')
      await page.getByRole('button', { name: 'Start' }).click()
      await page.getByRole('region', { name: 'Load result' }).waitFor()
      await visit(page, 'checks', 'chatty')
      await page.getByRole('button', { name: 'Run all' }).click()
      await page.locator('.actions .counts').waitFor()
      await visit(page, 'logs')
      await page.getByRole('heading', { name: 'Logs' }).waitFor()
      await visit(page, 'load', 'chatty')
      await page.getByRole('button', { name: 'Running…' }).waitFor()
      await page.getByRole('button', { name: 'Stop' }).click()
      await page.getByRole('button', { name: 'Start' }).waitFor()
      await page.getByRole('heading', { name: 'Stopped' }).waitFor()
      await visit(page, 'checks', 'chatty')
      await page.getByRole('button', { name: 'Run all' }).waitFor({ timeout: 60_000 })
    })

    it('tells what was wrong with a load run, also to who comes back to it', async () => {
      const { page, problems } = open
      await load(page, 'chatty')
      await visit(page, 'load', 'chatty')
      await page.getByLabel('text required').waitFor()
      await page.route('**/rpc', (route) => route.abort())
      await page.getByRole('button', { name: 'Start' }).click()
      await page.unroute('**/rpc')
      await page.locator('.problem-card').waitFor()
      await visit(page, 'logs')
      await visit(page, 'load', 'chatty')
      await page.locator('.problem-card').waitFor()
      problems.length = 0
    })

    it('is light, dark, or as the system is', async () => {
      const { page } = open
      const background = (): Promise<string> =>
        page.evaluate(() => getComputedStyle(document.body).backgroundColor)
      await page.emulateMedia({ colorScheme: 'light' })
      const light = await background()
      await page.emulateMedia({ colorScheme: 'dark' })
      const dark = await background()
      expect(dark).not.toBe(light)
      const button = page.getByRole('button', { name: /^Theme/ })
      for (const [name, color] of [
        ['Theme: light', light],
        ['Theme: dark', dark],
        ['Theme: auto', dark],
      ] as const) {
        await button.click()
        await expect.poll(() => button.innerText()).toBe(name)
        await expect.poll(background).toBe(color)
      }
      await page.emulateMedia({ colorScheme: null })
    })

    it('says that the tester is gone, and lets nobody call anything', async () => {
      const { page, tester, problems } = open
      await load(page, 'chatty')
      await visit(page, 'invoke', 'chatty')
      const button = page.getByRole('button', { name: /^Invoke/ })
      await expect.poll(() => button.isEnabled()).toBe(true)
      await tester.stop()
      await page.getByRole('alert').filter({ hasText: 'The tester is gone' }).waitFor()
      await expect.poll(() => button.isDisabled()).toBe(true)
      problems.length = 0
    })
  },
)
