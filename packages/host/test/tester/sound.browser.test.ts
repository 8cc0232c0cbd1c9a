import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { choose, invoke, openPage, visit } from './browser.js'
import { findChromium } from './chromium.js'

const chromium = findChromium()

/** Says how many bytes it was given. */
const ears = `
import { STTContract } from '@appfactory/sdk'
export default class extends STTContract {
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async transcribe(audio) { return audio.length + ' bytes' }
  async getLanguages() { return [] }
}`

/** Speaks samples without a header, half a second a sentence. */
const raw = ttsPlugin(`
  async synthesize() {
    return { audio: new Uint8Array(16000).fill(20), format: 'pcm_s16le', sampleRate: 16000, channels: 1 }
  }`)

describe.skipIf(chromium === undefined)(
  'sound in the Plugin Tester, in Chromium',
  { timeout: 60_000 },
  () => {
    const open = openPage(chromium ?? '', (path) => {
      writePlugin(join(path, 'plugins'), 'ears', ears, { contract: 'stt' })
      writePlugin(join(path, 'plugins'), 'raw', raw)
    })

    async function secondsOf(page: Page): Promise<number> {
      const audio = page.locator('.result audio')
      await expect
        .poll(() => audio.evaluate((element: HTMLAudioElement) => element.duration))
        .toBeGreaterThan(0)
      return audio.evaluate((element: HTMLAudioElement) => element.duration)
    }

    it('plays samples without a header, and all pieces of a stream together', async () => {
      const { page } = open
      await choose(page, 'raw', 'synthesize')
      await page.getByLabel('text required').fill('One.')
      await invoke(page)
      expect(await secondsOf(page)).toBeCloseTo(0.5, 2)
      await choose(page, 'raw', 'synthesize_stream')
      await page.getByLabel('text required').fill('One. Two. Three.')
      await invoke(page)
      expect(await secondsOf(page)).toBeCloseTo(1.5, 2)
      await page.getByRole('img', { name: /^Waveform/ }).waitFor()
    })

    it('goes to a place in the sound by a click on its waveform, and shows where the playback is', async () => {
      const { page } = open
      await choose(page, 'raw', 'synthesize')
      const audio = page.locator('.result audio')
      const seconds = (): Promise<number> =>
        audio.evaluate((element: HTMLAudioElement) => element.currentTime)
      const cursor = page.locator('.result .seek')
      const { width = 0, height = 0 } = (await cursor.boundingBox()) ?? {}
      await cursor.click({ position: { x: width / 2, y: height / 2 } })
      await expect.poll(seconds).toBeCloseTo(0.25, 1)
      await cursor.press('Home')
      await expect.poll(seconds).toBe(0)
      await audio.evaluate((element: HTMLAudioElement) => element.play())
      await expect.poll(async () => Number(await cursor.inputValue())).toBeCloseTo(0.5, 1)
    })

    it('records what the microphone hears, and lets go of it when somebody leaves', async () => {
      const { page } = open
      await choose(page, 'ears', 'transcribe')
      await page.evaluate(() => {
        const tracks: MediaStreamTrack[] = []
        Object.assign(window, { tracks })
        const { mediaDevices } = navigator
        const ask = mediaDevices.getUserMedia.bind(mediaDevices)
        mediaDevices.getUserMedia = async (constraints) => {
          const stream = await ask(constraints)
          tracks.push(...stream.getTracks())
          return stream
        }
      })
      const states = (): Promise<string[]> =>
        page.evaluate(() =>
          (window as unknown as { tracks: MediaStreamTrack[] }).tracks.map(({ readyState }) => readyState),
        )
      await page.getByRole('button', { name: 'Record' }).click()
      await expect.poll(() => page.locator('.level time').innerText()).toMatch(/^0\.[5-9]|^[1-9]/)
      await expect.poll(states).toEqual(['live'])
      await page.getByRole('button', { name: 'Stop recording' }).click()
      await page.locator('.bytes audio').waitFor()
      await expect.poll(states).toEqual(['ended'])
      await invoke(page)
      expect(await page.locator('.written').innerText()).toMatch(/^\d{4,} bytes$/)
      await page.getByRole('button', { name: 'Record' }).click()
      await page.getByRole('button', { name: 'Stop recording' }).waitFor()
      await visit(page, 'health')
      await expect.poll(states).toEqual(['ended', 'ended'])
    })

    it('keeps the sound of a form, however many come after it', async () => {
      const { page } = open
      await choose(page, 'ears', 'transcribe')
      const buffer = Buffer.from('\0sound of a file')
      const file = page.locator('input[type=file]')
      await file.setInputFiles({ name: 'kept.bin', mimeType: 'application/octet-stream', buffer })
      await page.getByText('kept.bin ·').waitFor()
      await choose(page, 'raw', 'synthesize')
      for (let time = 0; time < 20; time += 1) {
        await page.getByLabel('text required').fill(`${time}`)
        await invoke(page)
      }
      await choose(page, 'ears', 'transcribe')
      await page.getByText('kept.bin ·').waitFor()
      await invoke(page)
      expect(await page.locator('.written').innerText()).toBe(`${buffer.length} bytes`)
      await page.getByRole('button', { name: 'Use last speech' }).click()
      await page.locator('.bytes figcaption', { hasText: 'raw-synthesize' }).waitFor()
      expect(await file.inputValue()).toBe('')
    })

    it('counts a result as one speech, however often it is looked at', async () => {
      const { page } = open
      await choose(page, 'raw', 'synthesize')
      await page.getByLabel('text required').fill('once')
      await invoke(page)
      const label = await page.locator('.result figcaption').innerText()
      await visit(page, 'health')
      await visit(page, 'invoke', 'raw')
      expect(await page.locator('.result figcaption').innerText()).toBe(label)
    })

    it('takes along a call with bytes: in the line, or as a file to save', async () => {
      const { page } = open
      await choose(page, 'ears', 'transcribe')
      const buffer = Buffer.from('\0to take along')
      await page
        .locator('input[type=file]')
        .setInputFiles({ name: 'along.bin', mimeType: 'application/octet-stream', buffer })
      await page.getByText('along.bin ·').waitFor()
      await invoke(page)
      const copy = async (format: string): Promise<string> => {
        await page.getByLabel('Copy transcribe as').first().selectOption(format)
        await page.getByText('Copied').waitFor()
        return page.evaluate(() => navigator.clipboard.readText())
      }
      const line = JSON.parse(await copy('JSON-RPC line'))
      expect(line.params.args.audio_b64).toBe(buffer.toString('base64'))
      await expect.poll(() => copy('shell command')).toMatch(/--file audio=along\.bin/)
      await expect.poll(() => copy('TypeScript')).toMatch(/readFileSync\('along\.bin', 'base64'\)/)
      const saving = page.waitForEvent('download')
      await page.getByRole('link', { name: 'Save along.bin beside it' }).first().click()
      const saved = await saving
      expect(saved.suggestedFilename()).toBe('along.bin')
    })

    it('takes no text for sound', async () => {
      const { page } = open
      await choose(page, 'ears', 'transcribe')
      const buffer = Buffer.from('Dear reader')
      await page
        .locator('input[type=file]')
        .setInputFiles({ name: 'letter.txt', mimeType: 'text/plain', buffer })
      await page.getByText('letter.txt holds text, not sound.').waitFor()
    })

    it('says before it sends that bytes are too many', async () => {
      const { page } = open
      await choose(page, 'ears', 'transcribe')
      await page.evaluate(() => {
        const input = document.querySelector<HTMLInputElement>('input[type=file]')
        const files = new DataTransfer()
        files.items.add(new File([new Uint8Array(55e6)], 'large.bin'))
        if (!input) throw new Error('There is no field for a file')
        input.files = files.files
        input.dispatchEvent(new Event('change', { bubbles: true }))
      })
      await page.getByText('large.bin ·').waitFor()
      await invoke(page)
      expect(await page.locator('.result .problem-card').innerText()).toMatch(
        /MESSAGE_TOO_LARGE[\s\S]*limit is/,
      )
    })
  },
)
