import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { makeFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { violations } from './axe.js'
import { launch, type RunningTester, startCommand, visit } from './browser.js'
import { findChromium } from './chromium.js'

const chromium = findChromium()

/** Answers with what was said; does not stop by itself where that is "for ever". */
const parrot = `
import { LLMContract } from '@appfactory/sdk'
export default class extends LLMContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async complete(prompt) { return { text: prompt, finishReason: 'stop' } }
  async chat(messages) { return messages.at(-1) }
  async getModels() { return [{ id: 'grey', name: 'Grey parrot' }] }
  async *streamChat(messages, { signal }) {
    const { content } = messages.at(-1)
    yield messages.length + ' messages. ' + content
    try {
      while (content === 'for ever' && !signal.aborted) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        yield ' and ever.'
      }
    } finally {
      if (signal.aborted) console.warn('stopped by its caller')
    }
  }
}`

/** Understands whole recordings only. */
const wholeEars = `
import { STTContract } from '@appfactory/sdk'
export default class extends STTContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async transcribe(audio) { return Buffer.from(audio).toString('latin1', 0, 4) + ' of a recording' }
  async getLanguages() { return [] }
}`

const mute = ttsPlugin(`
  async synthesize() { throw new PluginError('TTS_SYNTHESIS_FAILED', 'no voice today') }`)

const stillborn = ttsPlugin(`
  async initialize() { throw new Error('no loudspeaker') }`)

/** Needs what nobody gives it. */
const strictSchema = { type: 'object', required: ['key'], properties: { key: { type: 'string' } } }

/** One piece of sound that the page has begun, in s. */
interface Played {
  at: number
  duration: number
  peak: number
  isStopped: boolean
}

describe.skipIf(chromium === undefined)(
  'a conversation in the Plugin Tester, in Chromium',
  { timeout: 60_000 },
  () => {
    const folder = makeFolder()
    const microphone = join(folder.path, 'microphone.wav')
    const problems: string[] = []
    let tester: RunningTester
    let browser: Browser
    let page: Page

    beforeAll(async () => {
      const plugins = join(folder.path, 'plugins')
      writePlugin(plugins, 'parrot', parrot, { contract: 'llm' })
      writePlugin(plugins, 'whole_ears', wholeEars, { contract: 'stt' })
      writePlugin(plugins, 'mute', mute)
      writePlugin(plugins, 'stillborn', stillborn)
      writePlugin(plugins, 'strict', ttsPlugin(), { config_schema: strictSchema })
      ;[tester, browser] = await Promise.all([
        startCommand(folder.path),
        launch(chromium ?? '', [`--use-file-for-fake-audio-capture=${microphone}%noloop`]),
      ])
      const viewport = { width: 1280, height: 800 }
      page = await browser.newPage({ viewport, permissions: ['microphone'], bypassCSP: true })
      page.on('pageerror', ({ message }) => problems.push(message))
      page.setDefaultTimeout(15_000)
      await page.addInitScript(watchSound)
      await page.goto(tester.url)
      await visit(page, 'talk')
      await input().waitFor()
    })

    afterEach(() => expect(problems).toEqual([]))

    afterAll(async () => {
      await browser?.close()
      await tester?.stop()
      folder.remove()
    })

    const input = () => page.getByLabel('What you say')
    const lastTurn = () => page.locator('.turn').last()
    const stop = () => page.getByRole('button', { name: /^Stop/ })
    const choice = (name: string) => page.getByRole('combobox', { name, exact: true })

    /** Waits until a turn with this text is over. */
    async function over(text: string | RegExp): Promise<string> {
      const turn = page.locator('.turn:last-child[data-state=done]').filter({ hasText: text })
      await turn.waitFor({ timeout: 30_000 })
      return turn.innerText()
    }

    async function say(text: string): Promise<void> {
      await input().fill(text)
      await input().press('Enter')
    }

    function played(): Promise<Played[]> {
      return page.evaluate(() => (window as unknown as { played: Played[] }).played.splice(0))
    }

    it('starts with one click, answers what is typed, and is heard', async () => {
      expect(await page.getByRole('button', { name: 'Speak' }).isDisabled()).toBe(true)
      await choice('Voice').selectOption('strict')
      await page.getByRole('link', { name: 'Configure strict' }).waitFor()
      await choice('Voice').selectOption('tts_flite')
      await choice('Model').selectOption('llm_llama')
      await page.getByRole('button', { name: 'Load tts_flite, stt_pocketsphinx and llm_llama' }).click()
      await page.getByRole('button', { name: /^Load/ }).waitFor({ state: 'detached' })
      await say('what is the capital of japan')
      const text = await over('Tokyo')
      for (const figure of ['first word', 'first sound', 'last word', 'last sound', 'silence'])
        expect(text).toMatch(new RegExp(`${figure}\\s+[\\d.]+ m?s`))
      const label = await lastTurn().locator('svg').getAttribute('aria-label')
      expect(label).toMatch(/first sound [\d.]+ m?s/)
      const sounds = await played()
      expect(sounds.length).toBeGreaterThan(0)
      for (const { peak } of sounds) expect(peak).toBeGreaterThan(0.1)
    })

    it('shows the input and the last turn without scrolling', async () => {
      for (const part of [input(), lastTurn()]) {
        const box = await part.boundingBox()
        expect(box?.y).toBeGreaterThanOrEqual(0)
        expect((box?.y ?? 0) + (box?.height ?? 900)).toBeLessThanOrEqual(800)
      }
      expect(await page.evaluate(() => document.documentElement.scrollHeight)).toBe(800)
    })

    it('hears what is spoken while the button is held, and answers it', async () => {
      writeFileSync(microphone, await speech('what is the capital of japan'))
      await page.getByRole('button', { name: 'Clear conversation' }).click()
      const button = page.locator('.speak')
      await button.focus()
      await page.keyboard.down(' ')
      await page.getByRole('meter', { name: 'Loudness' }).waitFor()
      // As long as the sentence is, and a little more.
      await page.waitForTimeout(2700)
      await page.keyboard.up(' ')
      expect(await over('Tokyo')).toMatch(/what is the capital of japan[\s\S]*you spoke\s+[23]\.\d+ s/)
      await played()
      await lastTurn().getByRole('button', { name: 'what you said' }).click()
      await expect.poll(() => stop().isEnabled()).toBe(true)
      await expect.poll(() => stop().isEnabled(), { timeout: 10_000 }).toBe(false)
      const [said] = await played()
      expect(said?.peak).toBeGreaterThan(0.1)
      expect(said?.duration).toBeGreaterThan(2)
    })

    it('speaks sentence after sentence without a gap; without a model, it repeats what was said', async () => {
      await choice('Model').selectOption('')
      await say('One. Two. Three.')
      await over('Echo')
      const [first, second, third] = await played()
      if (!first || !second || !third) throw new Error('There are not three sentences')
      expect(second.at).toBeCloseTo(first.at + first.duration, 2)
      expect(third.at).toBeCloseTo(second.at + second.duration, 2)
    })

    it('gives ears that hear no pieces the recording; one press begins it, another ends it', async () => {
      await choice('Ears').selectOption('whole_ears')
      await page.getByRole('button', { name: 'Load whole_ears' }).click()
      const button = page.locator('.speak')
      await expect.poll(() => button.isEnabled()).toBe(true)
      await button.press('Enter')
      await expect.poll(() => page.locator('.level time').innerText()).toMatch(/^0\.[3-9]|^[1-9]/)
      await button.click()
      expect(await over('RIFF of a recording')).toMatch(/Echo/)
    })

    it('stops a turn in the plugins too, by hand and by the next turn', async () => {
      await choice('Model').selectOption('parrot')
      await page.getByRole('button', { name: 'Load parrot' }).click()
      await page.getByRole('button', { name: /^Load/ }).waitFor({ state: 'detached' })
      await say('for ever')
      await page.locator('.turn:last-child[data-state=speaking]').waitFor()
      await stop().click()
      await page.locator('.turn:last-child[data-state=stopped]').waitFor()
      expect((await played()).at(-1)?.isStopped).toBe(true)
      expect(await stop().isDisabled()).toBe(true)
      await say('for ever')
      await lastTurn().getByText('and ever').waitFor()
      await say('Enough.')
      await over('Enough.')
      expect(await page.locator('.turn[data-state=stopped]').count()).toBe(2)
      await visit(page, 'plugin', 'parrot')
      await expect.poll(() => page.locator('.log-text', { hasText: 'stopped by its caller' }).count()).toBe(2)
      await visit(page, 'talk')
    })

    it('says which plugin failed, and why, and goes on', async () => {
      await choice('Voice').selectOption('stillborn')
      await say('Hear me.')
      await page.getByText('stillborn could not be loaded').waitFor()
      await page.getByText('no loudspeaker').first().waitFor()
      expect(await input().inputValue()).toBe('Hear me.')
      await choice('Voice').selectOption('mute')
      await page.getByText('could not be loaded').waitFor({ state: 'detached' })
      await input().press('Enter')
      expect(await over('mute could not speak')).toMatch(
        /messages\. Hear me\.[\s\S]*no voice today[\s\S]*What to do/,
      )
      await choice('Voice').selectOption('')
      await page.evaluate(() => {
        navigator.mediaDevices.getUserMedia = () =>
          Promise.reject(new DOMException('denied', 'NotAllowedError'))
      })
      await page.getByRole('button', { name: 'Speak' }).click()
      await page.getByText('does not let this page use the microphone').waitFor()
      await say('Still here.')
      expect(await over('Still here.')).not.toMatch(/could not/)
    })

    it('keeps what was chosen over a reload', async () => {
      await choice('Voice').selectOption('tts_flite')
      const voice = page.getByLabel('Voice: voice')
      await voice.locator('option[value=rms]').waitFor({ state: 'attached' })
      await voice.selectOption('rms')
      await choice('Ears').selectOption('')
      await page.reload()
      await input().waitFor()
      expect(await choice('Voice').inputValue()).toBe('tts_flite')
      expect(await voice.inputValue()).toBe('rms')
      expect(await choice('Ears').inputValue()).toBe('')
      expect(await choice('Model').inputValue()).toBe('parrot')
      expect(await page.locator('.speak').count()).toBe(0)
    })

    it('has nothing that axe finds or that sticks out, in both themes, wide and narrow', async () => {
      await choice('Voice').selectOption('mute')
      await say('One more.')
      await over('could not speak')
      for (const width of [1280, 375])
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.setViewportSize({ width, height: 800 })
          await page.emulateMedia({ colorScheme })
          expect(await violations(page)).toEqual([])
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width)
        }
    })

    /** A spoken sentence as a WAV file, by the plugin that the page has loaded. */
    async function speech(text: string): Promise<Buffer> {
      const args = { text, voice_id: 'rms' }
      const request = { jsonrpc: '2.0', id: 1, method: 'plugin/call' }
      const body = JSON.stringify({ ...request, params: { plugin: 'tts_flite', method: 'synthesize', args } })
      const answer = await page.evaluate(
        async (line) => (await fetch('/rpc', { method: 'POST', body: `${line}\n` })).text(),
        body,
      )
      return Buffer.from(JSON.parse(answer).result.audio_b64, 'base64')
    }
  },
)

/** In the page: writes down every sound that begins. */
function watchSound(): void {
  const played: Played[] = []
  Object.assign(window, { played })
  const { start, stop } = AudioBufferSourceNode.prototype
  const known = new WeakMap<AudioBufferSourceNode, Played>()
  AudioBufferSourceNode.prototype.start = function (at = 0) {
    const samples = this.buffer?.getChannelData(0) ?? new Float32Array()
    const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0)
    const one = { at, duration: this.buffer?.duration ?? 0, peak, isStopped: false }
    // Sounds that are only converted have no time.
    if (at > 0) played.push(one)
    known.set(this, one)
    start.call(this, at)
  }
  AudioBufferSourceNode.prototype.stop = function () {
    const one = known.get(this)
    if (one) one.isStopped = true
    stop.call(this)
  }
}
