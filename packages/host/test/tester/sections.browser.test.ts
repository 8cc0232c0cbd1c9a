import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { load, openPage, visit } from './browser.js'
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

describe.skipIf(chromium === undefined)(
  'sections of the Plugin Tester, in Chromium',
  { timeout: 60_000 },
  () => {
    const open = openPage(chromium ?? '', (path) => {
      const plugins = join(path, 'plugins')
      writePlugin(plugins, 'chatty', chatty)
      writePlugin(plugins, 'other', ttsPlugin(), { version: '2.0.0' })
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
      await page.locator('.check-status').first().waitFor()
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
