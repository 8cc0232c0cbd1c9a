import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Locator } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { choose, invoke, load, openPage, visit } from './browser.js'
import { findChromium } from './chromium.js'

const chromium = findChromium()
/** Plugins of the tests have no packages of their own. */
const zod = pathToFileURL(createRequire(import.meta.url).resolve('zod')).href

/** A plugin that sleeps as long as its text says, and has a number and a map in its configuration. */
const sleeper = ttsPlugin(`
  async getVoiceInfo(id) { await new Promise((resolve) => setTimeout(resolve, Number(id))); return (await this.getVoices())[0] }`)

/** A schema that contains itself, and others whose properties do not stand at their root. */
const node = {
  type: 'object',
  properties: { label: { type: 'string' }, next: { $ref: '#/$defs/node' } },
  additionalProperties: false,
}
const named = { type: 'object', properties: { label: { type: 'string' } } }
const roots = {
  node: { type: 'object', properties: { node: { $ref: '#/$defs/node' } }, $defs: { node } },
  ref: { $ref: '#/$defs/node', $defs: { node } },
  all_of: { type: 'object', allOf: [named, { required: ['label'] }] },
  one_of: { oneOf: [named, { type: 'object', required: ['file'], properties: { label: false } }] },
  pattern: { type: 'object', patternProperties: { '^v_': { type: 'string' } } },
}

/** A contract whose arguments contain themselves. */
const tree = `
import { defineContract } from '@appfactory/sdk'
import { z } from '${zod}'
const Node = z.object({ label: z.string(), get next() { return Node.optional() } })
const Tree = defineContract({ name: 'tree', version: '1.0.0', methods: {
  depth: { args: z.object({ node: Node }), result: z.number() },
} })
export default class extends Tree {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async depth({ node }) { let depth = 0; for (let at = node; at; at = at.next) depth++; return depth }
}`

describe.skipIf(chromium === undefined)(
  'forms of the Plugin Tester, in Chromium',
  { timeout: 60_000 },
  () => {
    let root = ''
    const open = openPage(chromium ?? '', (path) => {
      root = path
      writePlugin(join(path, 'plugins'), 'sleeper', sleeper)
      writePlugin(join(path, 'plugins'), 'growing', ttsPlugin())
      for (const [name, schema] of Object.entries(roots))
        writePlugin(join(path, 'plugins'), `root_${name}`, ttsPlugin(), { config_schema: schema })
      writePlugin(join(path, 'plugins'), 'tree', tree, { contract: 'tree' })
    })

    const json = (): Locator => open.page.getByRole('textbox', { name: 'Arguments as JSON' })
    const given = async (): Promise<unknown> => JSON.parse(await json().inputValue())
    const invokeButton = (): Locator => open.page.getByRole('button', { name: /^Invoke/ })

    /** Empties a field with keys, then types. */
    async function type(field: Locator, text: string): Promise<void> {
      await field.focus()
      await open.page.keyboard.press('Control+A')
      await open.page.keyboard.press('Delete')
      await open.page.keyboard.type(text, { delay: 20 })
    }

    async function speak(): Promise<void> {
      await choose(open.page, 'tts_tone', 'synthesize')
      await json().fill('{"text": "Hi"}')
      const speed = open.page.getByLabel('speed')
      if (!(await speed.isVisible())) await open.page.locator('summary', { hasText: 'optional' }).click()
    }

    it.each(['1.5', '0.75', '1e1', '10', '2.05'])(
      'takes %s as it is typed, and stays open',
      async (typed) => {
        await speak()
        const speed = open.page.getByLabel('speed')
        await type(speed, typed)
        expect(await speed.inputValue()).toBe(typed)
        await expect.poll(given).toEqual({ text: 'Hi', speed: Number(typed) })
        await type(speed, '')
        await expect.poll(given).toEqual({ text: 'Hi' })
        await expect.poll(() => speed.evaluate((element) => element === document.activeElement)).toBe(true)
      },
    )

    it('leaves JSON alone that is no object yet: says so, and calls nothing', async () => {
      await speak()
      for (const [text, trouble] of [
        ['', /Empty/],
        ['[1, 2]', /Not an object/],
        ['{"text": ', /Not JSON/],
      ] as const) {
        await type(json(), text)
        expect(await json().inputValue()).toBe(text)
        await expect.poll(() => open.page.locator('#args-json-problem').innerText()).toMatch(trouble)
        await expect.poll(() => invokeButton().isDisabled()).toBe(true)
      }
      await type(json(), '{"text":"x"}')
      expect(await json().inputValue()).toBe('{"text":"x"}')
      await expect.poll(() => open.page.getByLabel('text required').inputValue()).toBe('x')
      await expect.poll(() => invokeButton().isEnabled()).toBe(true)
    })

    it.each(['click', 'keys'])(
      'says what is wrong in a field that is folded away, and goes there: %s',
      async (way) => {
        const { page } = open
        await speak()
        const speed = page.getByLabel('speed')
        await type(speed, '99')
        await page.locator('summary', { hasText: 'optional' }).click()
        await expect.poll(() => speed.isVisible()).toBe(false)
        const before = await page.locator('.history li').count()
        if (way === 'click') await invokeButton().click()
        else await json().press('Control+Enter')
        await expect.poll(() => page.locator('.invoke-bar .problem').innerText()).toMatch(/speed: .*10/)
        await expect.poll(() => speed.isVisible()).toBe(true)
        await expect.poll(() => speed.evaluate((element) => element === document.activeElement)).toBe(true)
        expect(await page.locator('.history li').count()).toBe(before)
        await type(speed, '2')
        await invoke(page)
      },
    )

    it('puts the arguments of an earlier call back', async () => {
      const { page } = open
      await speak()
      await json().fill('{"text": "the first"}')
      await invoke(page)
      await json().fill('{"text": "the second"}')
      await page.locator('.history li', { hasText: 'the first' }).locator('.plain').click()
      await expect.poll(() => page.getByLabel('text required').inputValue()).toBe('the first')
    })

    it('does not load with a configuration that is no object, nor start a run with such arguments', async () => {
      const { page } = open
      await visit(page, 'plugin', 'growing')
      const config = page.getByLabel('JSON')
      const button = page.getByRole('button', { name: 'Load', exact: true })
      await config.fill('{"a": ')
      await expect.poll(() => button.isDisabled()).toBe(true)
      await config.fill('{"a": 1}')
      await expect.poll(() => button.isEnabled()).toBe(true)
      await load(page, 'tts_tone')
      await visit(page, 'load', 'tts_tone')
      const start = page.getByRole('button', { name: 'Start' })
      await json().fill('[]')
      await expect.poll(() => start.isDisabled()).toBe(true)
      await json().fill('{"text": "Hi"}')
      await type(page.getByLabel('Seconds'), '0.25')
      await page.getByLabel('Callers').fill('0')
      await start.click()
      await expect.poll(() => page.locator('form > .problem').innerText()).toMatch(/^Not started. Callers: /)
      await page.getByLabel('Callers').fill('2')
      await start.click()
      await page.locator('[data-done=true]').waitFor()
    })

    it('shows a configuration that contains itself one level at a time, and loads with it', async () => {
      const { page } = open
      for (const name of ['root_node', 'root_ref']) {
        await visit(page, 'plugin', name)
        const add = page.getByRole('button', { name: 'Add', exact: true })
        await expect.poll(() => add.count()).toBe(1)
        await add.click()
        await page.getByLabel('label').first().fill('one')
        await expect.poll(() => add.count()).toBe(1)
        await add.click()
        await page.getByRole('button', { name: 'Remove next' }).first().waitFor()
        await load(page, name)
      }
    })

    it.each(['all_of', 'one_of', 'pattern'])(
      'asks for JSON, and denies no config_schema, where its root is no list of properties (%s)',
      async (name) => {
        const { page } = open
        await visit(page, 'plugin', `root_${name}`)
        await page.getByLabel('JSON').fill('{"label": 5, "v_x": 5, "file": 5}')
        expect(await page.locator('.card .hint').innerText()).not.toMatch(/has no config_schema/)
        await page.getByRole('button', { name: 'Load', exact: true }).click()
        await page.locator('.problem-card').first().waitFor()
        await page.getByLabel('JSON').fill('{"label": "a"}')
        await load(page, `root_${name}`)
      },
    )

    it('shows arguments that contain themselves, and calls with them', async () => {
      const { page } = open
      await choose(page, 'tree', 'depth')
      await page.getByLabel('label required').fill('a')
      await page.getByRole('button', { name: 'Add', exact: true }).click()
      await page.getByLabel('label required').nth(1).fill('b')
      await expect.poll(given).toEqual({ node: { label: 'a', next: { label: 'b' } } })
      await invoke(page)
      expect(await page.locator('.result').innerText()).toMatch(/2/)
    })

    it('cancels with Escape wherever the focus is', async () => {
      const { page } = open
      await choose(page, 'sleeper', 'get_voice_info')
      await page.getByLabel('voice id required').fill('60000')
      await invokeButton().click()
      await page.locator('.result[data-state=running]').waitFor()
      await page.getByRole('link', { name: 'Logs' }).focus()
      await page.keyboard.press('Escape')
      await page.locator('.result[data-state=cancelled]').waitFor()
    })

    it('shows the methods of a build anew, and those that are not there as such', async () => {
      const { page } = open
      await load(page, 'stt_pocketsphinx')
      await load(page, 'growing')
      await visit(page, 'invoke', 'growing')
      await page.locator('.chips button', { hasText: 'synthesize' }).first().waitFor()
      const own = `
      import { defineContract } from '@appfactory/sdk'
      import { z } from '${zod}'
      const Own = defineContract({ name: 'own', version: '1.0.0', methods: {
        greet: { args: z.strictObject({}), result: z.string() },
        wave: { args: z.strictObject({}), result: z.string(), required: false },
      } })
      export default class extends Own {
        async initialize() {}
        async shutdown() {}
        async healthCheck() { return { status: this.status } }
        async greet() { return 'hello' }
        /* wave */
      }`
      writePlugin(join(root, 'plugins'), 'own', own, { contract: 'own' })
      await page.getByRole('button', { name: 'Refresh' }).click()
      await page.locator('.plugin-list').getByText('own', { exact: true }).first().waitFor()
      await load(page, 'own')
      await visit(page, 'invoke', 'own')
      const wave = page.locator('.chips button', { hasText: 'wave' })
      await expect.poll(() => wave.isDisabled()).toBe(true)
      expect(await wave.innerText()).toMatch(/not implemented/)
      const waving = own.replace('/* wave */', "async wave() { return 'waved' }")
      writeFileSync(
        join(root, 'plugins/own/index.js'),
        waving.replace(
          'wave: {',
          'nod: { args: z.strictObject({}), result: z.string(), required: false }, wave: {',
        ),
      )
      await visit(page, 'plugin', 'own')
      await page.getByRole('button', { name: 'Reload' }).click()
      await page.getByText(/serves after/).waitFor()
      await page.locator('.methods a', { hasText: 'wave' }).click()
      await expect.poll(() => wave.getAttribute('aria-pressed')).toBe('true')
      await page.locator('.chips button', { hasText: 'nod' }).waitFor()
      await invoke(page)
      expect(await page.locator('.result').innerText()).toContain('waved')
    })
  },
)
