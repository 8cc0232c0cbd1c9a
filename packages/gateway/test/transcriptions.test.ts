import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { PluginHost } from '@appfactory/host'
import { encodeWav } from '@appfactory/sdk'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type Gateway, serveGateway } from '../src/index.js'
import { encodeFlac } from './audio/flac.js'
import { tone } from './audio/sound.js'
import { type Answer, eventsIn, json, send, startHost } from './visitor.js'

const run = promisify(execFile)

let host: PluginHost
let gateway: Gateway
beforeAll(async () => {
  // What is said of M4A holds where there is no ffmpeg.
  vi.stubEnv('PATH', '')
  host = await startHost(['echo_stt', 'plain_stt', 'tone_tts'])
  gateway = await serveGateway(host, { port: 0, limits: { drainTimeoutMs: 1, slowBodyMs: 300 } })
})
afterAll(async () => {
  await gateway.close()
  await host.close({ force: true })
  vi.unstubAllEnvs()
})

const wav = encodeWav(tone(16_000, 0.5), { sampleRate: 16_000 })
const boundary = 'b0undary'

interface Part {
  name: string
  value: string | Uint8Array
  fileName?: string
  type?: string
}

const file = (value: Uint8Array, fileName = 'a.wav'): Part => ({ name: 'file', value, fileName })

function formOf(parts: readonly Part[]): Buffer {
  const encoded = parts.map(({ name, value, fileName, type = fileName === undefined ? '' : 'audio/wav' }) => {
    const named = fileName === undefined ? '' : `; filename="${fileName}"`
    const typed = type === '' ? '' : `\r\ncontent-type: ${type}`
    const head = `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${named}${typed}\r\n\r\n`
    return Buffer.concat([Buffer.from(head), Buffer.from(value), Buffer.from('\r\n')])
  })
  return Buffer.concat([...encoded, Buffer.from(`--${boundary}--\r\n`)])
}

const type = `multipart/form-data; boundary=${boundary}`

function sendForm(body: Buffer, contentType = type): Promise<Answer> {
  return send(gateway.port, {
    method: 'POST',
    path: '/v1/audio/transcriptions',
    headers: { 'content-type': contentType },
    body,
  })
}

/** Fields as they are, with a file in front. */
function listen(
  fields: Readonly<Record<string, string | string[]>> = {},
  sound: Uint8Array = wav,
): Promise<Answer> {
  const all = Object.entries({ model: 'echo_stt', ...fields })
  const parts = all.flatMap(([name, values]) => [values].flat().map((value) => ({ name, value })))
  return sendForm(formOf([file(sound), ...parts]))
}

async function heard(
  fields: Readonly<Record<string, string | string[]>>,
  sound: Uint8Array = wav,
): Promise<object> {
  return JSON.parse(String(json(await listen(fields, sound))['text']))
}

describe('POST /v1/audio/transcriptions', () => {
  it('gives a plain WAV file to the plugin as it is', async () => {
    const answer = await listen({ language: 'en' })
    expect(json(answer)).toEqual({ text: expect.any(String), usage: { type: 'duration', seconds: 0.5 } })
    expect(await heard({ language: 'en', temperature: '0.5', prompt: 'Names' })).toEqual({
      ...{ bytes: wav.length, sampleRate: 16_000, channels: 1, samples: 8000, language: 'en' },
      options: { temperature: 0.5, prompt: 'Names' },
    })
  })

  it('takes a file without a name, and fields that have types', async () => {
    const model = { name: 'model', value: 'echo_stt', type: 'application/octet-stream' }
    const answer = await sendForm(formOf([{ name: 'file', value: wav, type: 'audio/wav' }, model]))
    expect(JSON.parse(String(json(answer)['text']))).toMatchObject({ bytes: wav.length })
  })

  it.each(['True', 'False'])('takes %s as Python writes it', async (stream) => {
    const { status, headers } = await listen({ stream })
    expect(status).toBe(200)
    expect(headers['content-type']).toMatch(stream === 'True' ? /^text\/event-stream/ : /^application\/json/)
  })

  it('makes 16 kHz mono of all else, whatever its name says', async () => {
    const flac = encodeFlac([tone(16_000, 0.25), tone(16_000, 0.25)])
    expect(await heard({}, flac)).toMatchObject({ sampleRate: 16_000, channels: 1, samples: 8000 })
    const open = wav.slice()
    new DataView(open.buffer).setUint32(4, 0xffff_ffff, true)
    new DataView(open.buffer).setUint32(40, 0xffff_fff0, true)
    expect(await heard({}, open)).toMatchObject({ bytes: wav.length, samples: 8000 })
  })

  it('answers in texts', async () => {
    const ask = async (response_format: string): Promise<Answer> =>
      listen({ prompt: '/segments', response_format })
    const answers = await Promise.all(['text', 'srt', 'vtt'].map(ask))
    for (const { headers } of answers) expect(headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(answers.map(({ body }) => body)).toEqual([
      'one two\n',
      '1\n00:00:00,000 --> 00:00:01,500\none\n\n2\n01:01:01,001 --> 01:01:02,000\ntwo\n->\n\n',
      'WEBVTT\n\n00:00:00.000 --> 00:00:01.500\none\n\n01:01:01.001 --> 01:01:02.000\ntwo\n->\n\n',
    ])
  })

  it('makes one cue of what has no times', async () => {
    const { body } = await listen({ response_format: 'srt' })
    expect(body).toMatch(/^1\n00:00:00,000 --> 00:00:00,500\n\{.*\}\n\n$/)
  })

  it.each([
    [{}, ['segments']],
    [{ 'timestamp_granularities[]': 'segment' }, ['segments']],
    [{ 'timestamp_granularities[]': 'word' }, ['words']],
    [{ timestamp_granularities: ['word', 'segment'] }, ['segments', 'words']],
  ])('verbose_json with %j has %j', async (more, members) => {
    const body = json(await listen({ prompt: '/segments', response_format: 'verbose_json', ...more }))
    const { segments, words, ...rest } = body
    expect(rest).toEqual({
      ...{ task: 'transcribe', language: 'en-US', duration: 0.5, text: 'one two' },
      usage: { type: 'duration', seconds: 0.5 },
    })
    expect(Object.keys({ ...(segments ? { segments } : {}), ...(words ? { words } : {}) })).toEqual(members)
    if (segments)
      expect(segments).toMatchObject([
        { id: 0, seek: 0, start: 0, end: 1.5, text: 'one', tokens: [], temperature: 0, avg_logprob: 0 },
        { id: 1, start: 3661.001, end: 3662, compression_ratio: 1, no_speech_prob: 0 },
      ])
    if (words) expect(words).toEqual([{ word: 'one', start: 0.25, end: 0.5 }])
  })

  it('tells speakers where the plugin does', async () => {
    const response_format = 'diarized_json'
    const told = json(await listen({ prompt: '/segments speakers', response_format }))
    expect(told).toMatchObject({
      segments: [{ speaker: 'A', start: 0, end: 1.5, id: 'seg_0' }, { speaker: 'B' }],
    })
    const answer = await listen({ prompt: '/segments', response_format })
    expect([answer.status, json(answer)]).toMatchObject([400, { error: { param: 'response_format' } }])
  })

  it.each([
    [{ keywords: ['Ada', 'Bob'], prompt: 'Names' }, { prompt: 'Names\nAda, Bob' }],
    [{ 'keywords[]': 'Ada' }, { prompt: 'Ada' }],
    [{ 'languages[0]': 'de' }, {}, 'de'],
    [{ languages: ['de', 'fr'] }, { openai: { languages: ['de', 'fr'] } }],
    [{ languages: 'fr', language: 'de' }, {}, 'de'],
    [{ chunking_strategy: 'auto' }, { openai: { chunking_strategy: 'auto' } }],
    [
      { chunking_strategy: '{"type":"server_vad"}' },
      { openai: { chunking_strategy: { type: 'server_vad' } } },
    ],
    [{ 'chunking_strategy[type]': 'server_vad' }, { openai: { chunking_strategy: { type: 'server_vad' } } }],
    [{ 'known_speaker_names[]': ['A', 'B'] }, { openai: { known_speaker_names: ['A', 'B'] } }],
    [{ prompt: '', language: '', temperature: '', stream: '' }, {}],
  ])(
    'takes %j',
    async (fields, { openai, ...expected }: { openai?: object; prompt?: string }, language = '') => {
      const answer = await listen(fields)
      const { options, ...rest } = JSON.parse(String(json(answer)['text']))
      expect(options).toEqual({ ...expected, ...(openai ? { providerOptions: { openai } } : {}) })
      expect(rest.language ?? '').toBe(language)
      const ignored = openai && Object.keys(openai).join(', ')
      expect(answer.headers['x-appfactory-ignored']).toBe(ignored)
    },
  )

  it('streams who says what, once that is known', async () => {
    const fields = { stream: 'true', response_format: 'diarized_json' }
    const answer = await listen({ ...fields, prompt: '/segments speakers' })
    expect(eventsIn(answer).map((event) => JSON.parse(event))).toEqual([
      { type: 'transcript.text.delta', delta: 'one', segment_id: 'seg_0' },
      { type: 'transcript.text.segment', id: 'seg_0', text: 'one', speaker: 'A', start: 0, end: 1.5 },
      { type: 'transcript.text.delta', delta: 'two\n\n-->', segment_id: 'seg_1' },
      expect.objectContaining({ type: 'transcript.text.segment', id: 'seg_1', speaker: 'B' }),
      { type: 'transcript.text.done', text: 'one two' },
    ])
    const refused = await listen({ ...fields, prompt: '/segments' })
    expect([refused.status, json(refused)]).toMatchObject([400, { error: { param: 'response_format' } }])
  })

  it('streams all at once what a plugin hears that can’t listen to a stream', async () => {
    const answer = await listen({ model: 'plain_stt', stream: 'true' })
    const text = `wav of ${wav.length} bytes`
    expect(eventsIn(answer).map((event) => JSON.parse(event))).toEqual([
      { type: 'transcript.text.delta', delta: text },
      { type: 'transcript.text.done', text },
    ])
  })

  it('gives M4A to a plugin that takes it, where no program reads it', async () => {
    const head = Buffer.from('\0\0\0\x20ftypM4A \0\0\0\0', 'latin1')
    const times = Buffer.alloc(32)
    times.writeUInt32BE(1000, 12)
    times.writeUInt32BE(2500, 16)
    const sound = Buffer.concat([head, Buffer.from('mvhd'), times])
    const answer = json(await listen({ model: 'plain_stt' }, sound))
    expect(answer).toEqual({
      text: `m4a of ${sound.length} bytes`,
      usage: { type: 'duration', seconds: 2.5 },
    })
    expect(await listen({ model: 'plain_stt' }, Buffer.from([0xff, 0xf1, 0x50, 0x80, 0]))).toMatchObject({
      status: 400,
    })
  })

  it('hears each of many long files whole, several at a time', async () => {
    const sounds = Array.from({ length: 12 }, (_, index) =>
      encodeWav(new Int16Array(800_000 + 3000 * index).fill(index), { sampleRate: 16_000 }),
    )
    const digestOf = (sound: Uint8Array): string => createHash('sha256').update(sound).digest('hex')
    for (let first = 0; first < sounds.length; first += 3) {
      const some = sounds.slice(first, first + 3)
      const answers = await Promise.all(some.map((sound) => listen({ prompt: '/digest' }, sound)))
      expect(answers.map((answer) => json(answer)['text'])).toEqual(some.map(digestOf))
    }
  })

  it('streams what is heard for good', async () => {
    const sound = encodeWav(tone(16_000, 5), { sampleRate: 16_000 })
    const events = eventsIn(await listen({ stream: 'true' }, sound)).map((event) => JSON.parse(event))
    expect(events).toEqual([
      { type: 'transcript.text.delta', delta: 'one' },
      { type: 'transcript.text.delta', delta: ' two' },
      { type: 'transcript.text.delta', delta: ' 3' },
      { type: 'transcript.text.done', text: 'one two 3' },
    ])
    const failed = eventsIn(await listen({ stream: 'true', prompt: '/fail' })).map((event) =>
      JSON.parse(event),
    )
    expect(failed.at(-1)).toMatchObject({ error: { code: 'stt_transcription_failed' } })
  })

  it.each([
    ['nothing', Buffer.alloc(0), 400, 'invalid_audio'],
    ['text', Buffer.from('this is text'), 400, 'invalid_audio'],
    ['no samples', encodeWav(new Int16Array(), { sampleRate: 16_000 }), 400, 'invalid_audio'],
    ['the start of an MP3 file', Buffer.from([0xff, 0xfb, 0x90, 0xc4]), 400, 'invalid_audio'],
    ['m4a', Buffer.from('\0\0\0\x20ftypM4A ', 'latin1'), 400, 'unsupported_format'],
  ])('refuses %s', async (_, sound, status, code) => {
    const answer = await listen({}, sound)
    expect([answer.status, json(answer)]).toMatchObject([status, { error: { param: 'file', code } }])
  })

  it.each([
    ['no file', [{ name: 'model', value: 'echo_stt' }], 400, 'file'],
    [
      'a file that is a text',
      [
        { name: 'model', value: 'echo_stt' },
        { name: 'file', value: 'x' },
      ],
      400,
      'file',
    ],
    ['two files', [file(wav), file(wav), { name: 'model', value: 'echo_stt' }], 400, 'file'],
    [
      'another file',
      [
        { ...file(wav), name: 'prompt' },
        { name: 'model', value: 'echo_stt' },
      ],
      400,
      'prompt',
    ],
    [
      'a file too many',
      [file(wav), { ...file(wav), name: 'extra' }, { name: 'model', value: 'echo_stt' }],
      400,
      'extra',
    ],
    ['no model', [file(wav)], 400, 'model'],
    [
      '10,000 fields',
      [file(wav), ...Array.from({ length: 10_000 }, () => ({ name: 'a', value: 'b' }))],
      413,
      null,
    ],
    ['a long field', [file(wav), { name: 'prompt', value: 'x'.repeat(70_000) }], 413, null],
    ['a long file', [file(Buffer.alloc(25 * 1024 * 1024 + 1))], 413, 'file'],
    ['a longer body', [file(Buffer.alloc(28 * 1024 * 1024))], 413, 'file'],
  ] satisfies [string, Part[], number, string | null][])('refuses %s', async (_, parts, status, param) => {
    const answer = await sendForm(formOf(parts))
    expect([answer.status, json(answer)]).toMatchObject([status, { error: { param } }])
  })

  it.each([
    [{ response_format: 'xml' }, 'response_format'],
    [{ temperature: '2' }, 'temperature'],
    [{ temperature: 'hot' }, 'temperature'],
    [{ stream: 'maybe' }, 'stream'],
    [{ timestamp_granularities: 'hour' }, 'timestamp_granularities[0]'],
    [{ 'include[]': 'logprobs' }, 'include'],
    [{ chunking_strategy: 'manual' }, 'chunking_strategy'],
    [{ 'known_speaker_names[]': ['a', 'b', 'c', 'd', 'e'] }, 'known_speaker_names'],
    [{ model: 'tone_tts' }, 'model'],
  ])('%j: 400 at %s', async (fields, param) => {
    const answer = await listen(fields)
    expect([answer.status, json(answer)]).toMatchObject([400, { error: { param } }])
  })

  it('refuses forms that can’t be read', async () => {
    const whole = formOf([file(wav), { name: 'model', value: 'echo_stt' }])
    const [missing, other, cut, plain] = await Promise.all([
      sendForm(whole, 'multipart/form-data'),
      sendForm(whole, 'multipart/form-data; boundary=other'),
      sendForm(whole.subarray(0, 2000)),
      sendForm(whole, 'application/json'),
    ])
    expect([missing?.status, other?.status, cut?.status, plain?.status]).toEqual([400, 400, 400, 415])
  })

  it('refuses a form that never ends', async () => {
    const answer = await send(gateway.port, {
      method: 'POST',
      path: '/v1/audio/transcriptions',
      headers: { 'content-type': type, 'content-length': 100_000 },
    })
    expect(answer.status).toBe(408)
  })

  it('never uses the name of a file', async () => {
    for (const name of ['../../etc/passwd', 'a\r\nx-evil: 1', '', 'x.m4a'])
      expect(await sendForm(formOf([file(wav, name), { name: 'model', value: 'echo_stt' }]))).toMatchObject({
        status: name.includes('\n') ? expect.any(Number) : 200,
      })
  })

  it('passes errors of the plugin on', async () => {
    const answer = await listen({ prompt: '/fail STT_LANGUAGE_NOT_SUPPORTED' })
    expect([answer.status, json(answer)]).toMatchObject([400, { error: { code: 'unsupported_language' } }])
  })
})

describe('a codec that is not installed', () => {
  it('is named, with what to do', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'gateway-audio-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const here = fileURLToPath(new URL('..', import.meta.url))
    await cp(join(here, 'dist', 'audio'), join(folder, 'audio'), { recursive: true })
    await writeFile(join(folder, 'package.json'), '{"type":"module"}')
    await mkdir(join(folder, 'node_modules'))
    await symlink(
      join(here, 'node_modules', '@appfactory'),
      join(folder, 'node_modules', '@appfactory'),
      'junction',
    )
    const code = `
      import { hear, SpeechJob } from './audio/jobs.js'
      const piece = { audio: new Uint8Array(960), format: 'pcm_s16le', sampleRate: 24000, channels: 1 }
      for (const encoding of ['mp3', 'opus', 'aac'])
        await new SpeechJob({ encoding, isStreamed: true, mostSeconds: 10 }).push(piece).catch(({ kind, message }) => console.log(kind, message))
      const flac = Buffer.from('fLaC'.padEnd(18, '\\0') + '\\x03\\xe8\\x00' + '\\0'.repeat(40), 'latin1')
      await hear(flac, new AbortController().signal).catch(({ kind, message }) => console.log(kind, message))
      console.log((await new SpeechJob({ encoding: 'pcm', isStreamed: true, mostSeconds: 10 }).push(piece)).length)`
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: folder })
    const told = (what: string, name: string): string =>
      `unsupported_format ${what} needs what is not installed where the gateway runs: npm install ${name}`
    expect(stdout.trim().split('\n')).toEqual([
      told('Making MP3', 'wasm-media-encoders'),
      told('Making Opus', 'opusscript'),
      told('Making AAC', '@mediabunny/aac-encoder mediabunny'),
      told('Reading FLAC', '@wasm-audio-decoders/flac'),
      '960',
    ])
  })
})
