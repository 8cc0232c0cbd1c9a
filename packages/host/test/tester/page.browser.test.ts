import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { choose, hostile, load, openPage, showCharts, speak, visit } from './browser.js'
import { findChromium } from './chromium.js'

const chromium = findChromium()

describe.skipIf(chromium === undefined)(
  'the page of the Plugin Tester, in Chromium',
  { timeout: 120_000 },
  () => {
    const open = openPage(chromium ?? '')
    const { problems } = open
    let page: Page

    beforeAll(() => {
      page = open.page
    })

    it('has no token in its address once it is open, and the URL opens it in no second browser', async () => {
      expect(page.url()).not.toContain('token')
      const stranger = await page.context().browser()?.newContext()
      const answer = await (await stranger?.newPage())?.goto(open.tester.url)
      expect(answer?.status()).toBe(401)
      await stranger?.close()
    })

    it('lists what is there, and says of what is not valid why', async () => {
      await visit(page, 'plugin', 'broken')
      await expect.poll(() => page.locator('.problem-card').innerText()).toMatch(/version/)
      expect(await page.getByRole('button', { name: 'Load', exact: true }).count()).toBe(0)
    })

    it('loads with a form of the configuration, and speaks: the sound is as long as the result says', async () => {
      await visit(page, 'plugin', 'tts_flite')
      await page.getByLabel('voice').selectOption('rms')
      await choose(page, 'tts_flite', 'synthesize')
      await page.getByLabel('text required').fill('Good morning.')
      await page.getByRole('button', { name: /^Invoke/ }).click()
      const audio = page.locator('.result audio')
      await audio.waitFor()
      await expect
        .poll(() => audio.evaluate((element: HTMLAudioElement) => element.duration))
        .toBeGreaterThan(0)
      const seconds = await audio.evaluate((element: HTMLAudioElement) => element.duration)
      const result: { duration_ms: number; voice_id: string } = JSON.parse(
        await page.locator('.result pre').innerText(),
      )
      expect(seconds).toBeCloseTo(result.duration_ms / 1000, 2)
      expect(result.voice_id).toBe('rms')
      await page.getByRole('img', { name: /^Waveform/ }).waitFor()
    })

    it('keeps form and JSON the same, both ways, and is worked with keys alone', async () => {
      await choose(page, 'tts_flite', 'synthesize')
      const json = page.getByRole('textbox', { name: 'Arguments as JSON' })
      await json.fill('{"text": "from JSON", "speed": 2}')
      await expect.poll(() => page.getByLabel('text required').inputValue()).toBe('from JSON')
      await page.getByLabel('text required').fill('from the form')
      await expect
        .poll(async () => JSON.parse(await json.inputValue()))
        .toEqual({ text: 'from the form', speed: 2 })
      await json.fill('{"text": ')
      await expect.poll(() => page.getByRole('button', { name: /^Invoke/ }).isDisabled()).toBe(true)
      await json.fill('{"text": "by keys"}')
      await json.press('Control+Enter')
      await page.locator('.result[data-state=done]').waitFor()
      await page.locator('main').focus()
      await page.keyboard.press('3')
      await page.getByRole('heading', { name: 'Health', exact: true }).waitFor()
    })

    it('calls again from the history, and takes a call along', async () => {
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
      await choose(page, 'tts_flite', 'get_voices')
      await page.getByRole('button', { name: /^Invoke/ }).click()
      await page.locator('.result[data-state=done]').waitFor()
      const entries = page.locator('.history li')
      const before = await entries.count()
      await entries.first().getByRole('button', { name: 'Replay' }).click()
      await expect.poll(() => entries.count()).toBe(before + 1)
      const place = await entries.first().getByRole('button', { name: 'Replay' }).boundingBox()
      await page.getByLabel('Copy get_voices as').first().selectOption('JSON-RPC line')
      await page.getByText('Copied').waitFor()
      // The buttons stay where they are.
      expect(await entries.first().getByRole('button', { name: 'Replay' }).boundingBox()).toEqual(place)
      expect(JSON.parse(await page.evaluate(() => navigator.clipboard.readText()))).toEqual({
        jsonrpc: '2.0',
        id: 1,
        method: 'plugin/call',
        params: { plugin: 'tts_flite', method: 'get_voices', args: {} },
      })
    })

    it('shows an error with its code, its name and what to do', async () => {
      await choose(page, 'tts_flite', 'get_voice_info')
      await page.getByLabel('voice id required').fill('nobody')
      await page.getByRole('button', { name: /^Invoke/ }).click()
      const text = await page.locator('.result .problem-card').innerText()
      expect(text).toMatch(/TTS_VOICE_NOT_FOUND 1001/)
      expect(text).toMatch(/What to do: Call get_voices/)
      problems.length = 0
    })

    it('writes down a spoken file in pieces, while it is heard', async () => {
      await choose(page, 'stt_pocketsphinx', 'transcribe_stream')
      const buffer = await speak('Good morning. The fox is here. Go forward ten meters.')
      await page
        .locator('input[type=file]')
        .setInputFiles({ name: 'spoken.wav', mimeType: 'audio/wav', buffer })
      await page.getByText('spoken.wav ·').waitFor()
      await watchTexts(page)
      await page.getByRole('button', { name: /^Invoke/ }).click()
      await page.locator('.result[data-state=done]').waitFor({ timeout: 60_000 })
      const texts = await seenTexts(page)
      expect(texts.length).toBeGreaterThan(2)
      expect(texts.at(-1)).toContain('good morning')
      expect(await page.locator('.figures').innerText()).toMatch(/first piece[\s\S]*pieces\/s/)
    })

    it('hears the last speech of a plugin too', async () => {
      await choose(page, 'stt_pocketsphinx', 'transcribe')
      await page.getByRole('button', { name: 'Use last speech' }).click()
      await page.getByRole('button', { name: /^Invoke/ }).click()
      await page.locator('.result[data-state=done]').waitFor({ timeout: 60_000 })
      expect(await page.locator('.written').innerText()).not.toBe('')
    })

    it('streams a chat', async () => {
      await choose(page, 'llm_llama', 'stream_chat')
      await page.getByLabel('content required').fill('tell me a story about a fox')
      await page.getByRole('button', { name: /^Invoke/ }).click()
      await page.locator('.result[data-state=done]').waitFor({ timeout: 60_000 })
      expect((await page.locator('.written').innerText()).length).toBeGreaterThan(40)
      expect(Number(await page.locator('.written').getAttribute('data-pieces'))).toBeGreaterThan(10)
    })

    it('says of vectors which texts are alike, and shows few of their numbers', async () => {
      await choose(page, 'embed_llama', 'embed')
      const json = page.getByRole('textbox', { name: 'Arguments as JSON' })
      await expect.poll(async () => JSON.parse(await json.inputValue())).toEqual({ texts: [''] })
      const texts = ['Tell me a story about a fox.', 'Once upon a time there was a fox.', '<b>Paris</b>']
      await json.fill(JSON.stringify({ texts }))
      await expect
        .poll(() => page.getByRole('group', { name: 'texts' }).getByRole('textbox').count())
        .toBe(texts.length)
      await page.getByRole('button', { name: /^Invoke/ }).click()
      await page.locator('.result[data-state=done]').waitFor({ timeout: 60_000 })
      expect(await page.locator('.result').innerText()).toMatch(/3 vectors of \d+ numbers/)
      const lines = await page.locator('.vectors li').allInnerTexts()
      expect(lines[0]).toBe(`1.00 ${texts[0]}`)
      expect(Number.parseFloat(lines[1] ?? '')).toBeGreaterThan(Number.parseFloat(lines[2] ?? ''))
      expect(lines[2]).toContain('<b>Paris</b>')
      const { embeddings } = JSON.parse(await page.locator('.result pre').innerText())
      expect(embeddings[0]).toHaveLength(9)
    })

    it('shows a chat while it grows', async () => {
      await choose(page, 'endless', 'stream_chat')
      await page.getByLabel('content required').fill('word')
      await watchTexts(page)
      await page.getByRole('button', { name: /^Invoke/ }).click()
      await page.locator('.result[data-state=done]').waitFor()
      const texts = await seenTexts(page)
      const whole = texts.at(-1) ?? ''
      expect(whole).toMatch(/^word1 word2 .*word40 $/)
      expect(texts.length).toBeGreaterThan(3)
      for (const text of texts) expect(whole.startsWith(text)).toBe(true)
    })

    it('shows pieces as they come, and cancels in the plugin too', async () => {
      await choose(page, 'endless', 'stream_complete')
      await page.getByLabel('prompt required').fill('piece')
      await watchTexts(page)
      await page.getByRole('button', { name: /^Invoke/ }).click()
      await page.getByText('piece20').waitFor()
      expect((await seenTexts(page)).length).toBeGreaterThan(3)
      await page.keyboard.press('Escape')
      await page.locator('.result[data-state=cancelled]').waitFor()
      await visit(page, 'logs')
      await page.getByText('stopped by its caller').waitFor()
    })

    it('shows a plugin that is killed in red, and how it comes back', async () => {
      await load(page, 'tts_tone')
      await visit(page, 'health')
      const card = page.getByRole('region', { name: 'Health of tts_tone' })
      await showCharts(page, 'tts_tone')
      const pid = card.locator('.figures div', { hasText: 'process' }).locator('dd')
      await expect.poll(() => pid.innerText()).toMatch(/^\d+$/)
      const before = await pid.innerText()
      await watchClasses(page, '[aria-label="Health of tts_tone"] .status')
      process.kill(Number(before), 'SIGKILL')
      await expect.poll(() => seenTexts(page)).toContain('status bad')
      await expect.poll(async () => (await seenTexts(page)).at(-1)).toBe('status good')
      await expect.poll(() => pid.innerText()).not.toBe(before)
      expect(await page.locator('.timeline').innerText()).toMatch(/restart\s+tts_tone[\s\S]*crash\s+tts_tone/)
    })

    it('swaps under load, and loses nothing', async () => {
      await load(page, 'tts_flite')
      await visit(page, 'load', 'tts_flite')
      await page.getByLabel('text required').fill('Hi')
      await page.getByLabel('Seconds').fill('3')
      await page.getByLabel('In the middle').selectOption('tts_flite')
      await page.getByRole('button', { name: 'Start' }).click()
      const result = page.getByRole('region', { name: 'Load result' })
      await page.locator('[data-done=true]').waitFor({ timeout: 60_000 })
      expect(await result.locator('.lost').innerText()).toBe('0 lost')
      expect(await result.innerText()).toMatch(/Swapped for tts_flite in/)
      expect(
        Number(await result.locator('.tiles div', { hasText: 'answered' }).locator('dd').innerText()),
      ).toBeGreaterThan(5)
    })

    it('checks that a plugin keeps its contract, and shows each check by its id', async () => {
      await visit(page, 'checks', 'tts_tone')
      await page.getByRole('button', { name: 'Run all' }).click()
      await page.getByRole('button', { name: 'Run all' }).waitFor({ timeout: 60_000 })
      expect(await page.locator('.actions .counts').innerText()).toMatch(/^\d\d passed/)
      expect(await page.locator('.actions .counts').innerText()).not.toMatch(/failed|blocked/)
      await page.locator('summary', { hasText: 'tts.synthesize' }).first().click()
      await page.getByRole('button', { name: 'Run tts.synthesize.result again' }).waitFor()
      // Its checks fail at once, where those of a plugin without end would wait for their deadlines.
      await visit(page, 'checks', 'hostile')
      await page.getByRole('button', { name: 'Run all' }).click()
      await page.getByRole('button', { name: 'Run all' }).waitFor({ timeout: 60_000 })
      expect(await page.locator('.actions .counts').innerText()).toMatch(/failed/)
    })

    it('takes what a plugin says for text only', async () => {
      await choose(page, 'hostile', 'complete')
      await page.getByRole('button', { name: /^Invoke/ }).click()
      await expect.poll(() => page.locator('.written').innerText()).toBe(hostile)
      await visit(page, 'plugin', 'hostile')
      await expect.poll(() => page.locator('.title + p').innerText()).toBe(`${hostile} · 1.0.0 · ${hostile}`)
      await expect.poll(() => page.locator('.log-text').first().innerText()).toBe(hostile)
      expect(await page.title()).toBe('Plugin Tester')
      expect(await page.locator('main img, main script').count()).toBe(0)
    })

    it('gives a page from elsewhere nothing, in the browser that has the cookie', async () => {
      const elsewhere = createServer((_request, response) => {
        response.setHeader('content-type', 'text/html').end('<title>elsewhere</title>')
      })
      await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => void elsewhere.close())
      const { port } = elsewhere.address() as AddressInfo
      const other = await page.context().newPage()
      const origin = new URL(page.url()).origin
      const statuses: number[] = []
      other.on(
        'response',
        (response) => response.url().startsWith(origin) && statuses.push(response.status()),
      )
      for (const site of [`http://127.0.0.1:${port}`, `http://localhost:${port}`]) {
        await other.goto(site)
        const got = await other.evaluate(attack, origin)
        expect(got).toEqual({ fetched: [], events: 0, images: 0, frames: 0 })
      }
      expect(statuses.length).toBeGreaterThan(0)
      expect(statuses.filter((status) => status < 400)).toEqual([])
      await other.close()
    })
  },
)

/** What a page from elsewhere may try. Runs in the browser. */
async function attack(origin: string) {
  const body = '{"jsonrpc":"2.0","id":1,"method":"plugin/unload","params":{"name":"tts_flite"}}\n'
  const tries: [string, RequestInit][] = [
    ['/', { credentials: 'include' }],
    ['/events', { credentials: 'include' }],
    ['/events', { credentials: 'include', mode: 'no-cors' }],
    ['/rpc', { credentials: 'include', method: 'POST', body }],
    ['/rpc', { credentials: 'include', method: 'POST', body, mode: 'no-cors' }],
  ]
  const fetched: string[] = []
  for (const [path, init] of tries) {
    const text = await fetch(origin + path, init).then(
      (response) => response.text(),
      () => '',
    )
    if (text !== '') fetched.push(text)
  }
  const outcome = (target: EventTarget): Promise<number> =>
    new Promise((resolve) => {
      for (const good of ['open', 'load']) target.addEventListener(good, () => resolve(1))
      target.addEventListener('error', () => resolve(0))
    })
  const source = new EventSource(`${origin}/events`, { withCredentials: true })
  const events = await outcome(source)
  source.close()
  const image = new Image()
  image.src = `${origin}/icon.svg`
  const images = await outcome(image)
  const frame = document.createElement('iframe')
  frame.src = origin
  document.body.append(frame)
  await new Promise((resolve) => frame.addEventListener('load', resolve))
  const frames = frame.contentDocument?.querySelector('#app') ? 1 : 0
  return { fetched, events, images, frames }
}

/** Remembers each text that the result shows. */
async function watchTexts(page: Page): Promise<void> {
  await remember(page, '.written', 'textContent')
}

async function watchClasses(page: Page, selector: string): Promise<void> {
  await remember(page, selector, 'className')
}

async function remember(page: Page, selector: string, what: 'textContent' | 'className'): Promise<void> {
  await page.evaluate(
    ([selector, what]) => {
      const seen: string[] = []
      Object.assign(window, { seen })
      const look = (): void => {
        const element = document.querySelector(selector)
        const value = (what === 'className' ? element?.className : element?.textContent) ?? ''
        if (value !== '' && value !== seen.at(-1)) seen.push(value)
      }
      new MutationObserver(look).observe(document.body, {
        subtree: true,
        childList: true,
        characterData: true,
        attributes: true,
      })
    },
    [selector, what] as const,
  )
}

function seenTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => (window as unknown as { seen: string[] }).seen)
}
