import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { PluginHost } from '@appfactory/host'
import { decodeWav, encodeWav, TTSContract, toMono16 } from '@appfactory/sdk'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findChromium } from '../../../packages/host/test/tester/chromium.js'

const main = fileURLToPath(new URL('../dist/talk.js', import.meta.url))
const plugins = fileURLToPath(new URL('../../plugins', import.meta.url))
const sentence = 'please tell me a story about a little bear'
const executablePath = findChromium()

describe.skipIf(executablePath === undefined)('the page on which one speaks with three plugins', () => {
  const folder = mkdtempSync(join(tmpdir(), 'talk-'))
  const problems: string[] = []
  let child: ChildProcess
  let browser: Browser
  let page: Page
  let url: string

  beforeAll(async () => {
    child = spawn(process.execPath, [main, '--port', '0'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const microphone = join(folder, 'microphone.wav')
    const [address, recording] = await Promise.all([firstLine(child), recorded()])
    url = address.replace('Talk: ', '')
    writeFileSync(microphone, recording)
    const args = [
      '--no-sandbox',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-audio-capture=${microphone}`,
      '--autoplay-policy=no-user-gesture-required',
    ]
    browser = await chromium.launch({ ...(executablePath ? { executablePath } : {}), args })
    page = await browser.newPage({ viewport: { width: 1280, height: 800 }, permissions: ['microphone'] })
    page.on('pageerror', ({ message }) => problems.push(message))
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    await page.addInitScript(keepMicrophone)
    await page.goto(url)
  })

  const mute = (isMuted: boolean): Promise<unknown> =>
    page.evaluate(`microphone.getTracks()[0].enabled = ${!isMuted}`)

  afterAll(async () => {
    await browser?.close()
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
    rmSync(folder, { recursive: true, force: true })
  })

  it('hears a sentence, answers aloud, and stops when somebody speaks again', async () => {
    await page.getByRole('button', { name: 'Start talking' }).click()
    await page.getByText('Thinking…').waitFor()
    await mute(true)
    const heard = page.locator('.you span').first()
    await heard.waitFor()
    const words = (await heard.textContent())?.split(' ') ?? []
    expect(words.filter((word) => sentence.split(' ').includes(word)).length).toBeGreaterThanOrEqual(6)
    await page.locator('body[data-sounds]').waitFor()
    // The recording begins again, in the middle of the answer.
    await mute(false)
    await page.locator('.plugin.interrupted').first().waitFor()
    await page.locator('rect.speak').waitFor({ state: 'attached' })
    expect(await page.locator('#summary').textContent()).toMatch(/first word \d+ ms, first sound \d+ ms/)
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    await page.getByRole('button', { name: 'Stop' }).click()
    await page.getByText('The microphone is off.').waitFor()
    expect(problems).toEqual([])
  })

  it('lets no other page in, and loads nothing from elsewhere', async () => {
    const answer = await fetch(url)
    expect(answer.headers.get('content-security-policy')).toMatch(/^default-src 'none'.*connect-src 'self'/)
    const headers = { origin: 'https://evil.example', connection: 'Upgrade', upgrade: 'websocket' }
    const asked = request(new URL('/v1/realtime', url), { headers })
    asked.end()
    const [response] = await once(asked, 'response')
    expect(response.statusCode).toBe(403)
    response.resume()
  })
})

/** The page’s microphone is the test’s too, so that it is silent as long as a slow machine needs. */
const keepMicrophone = `
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices)
  navigator.mediaDevices.getUserMedia = async (what) => (globalThis.microphone = await ask(what))
`

/** The sentence as a microphone hears it, with silence around it. */
async function recorded(): Promise<Uint8Array> {
  await using host = new PluginHost({ pluginsDir: plugins })
  const { audio } = await (await host.load(TTSContract, 'tts_flite')).synthesize(sentence, 'rms')
  const sound = decodeWav(audio)
  if (!sound) throw new Error('The plugin made no WAV file')
  const { sampleRate } = sound
  const silence = (seconds: number): number[] => Array(Math.round(sampleRate * seconds)).fill(0)
  const samples = Int16Array.from([...silence(0.5), ...toMono16(sound), ...silence(2.5)])
  return encodeWav(samples, { sampleRate })
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (!stdout) throw new Error('It has no stdout')
  const lines = createInterface({ input: stdout })
  const [line] = await once(lines, 'line')
  return String(line)
}
