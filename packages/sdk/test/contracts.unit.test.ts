import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import {
  type CallContext,
  type ChatMessage,
  decodeWav,
  defineContract,
  EmbeddingContract,
  type EmbeddingOptions,
  encodeWav,
  type GenerationOptions,
  LLMContract,
  PluginError,
  PluginStatus,
  STTContract,
  type SynthesisOptions,
  TTSContract,
  textOf,
} from '@appfactory/sdk'
import {
  describeContract,
  embeddingDefinition,
  llmDefinition,
  readShippedContract,
  shippedContracts,
  sttDefinition,
  ttsDefinition,
} from '@appfactory/sdk/contracts'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { all, connect } from './connect.js'

// The stack of an error that nobody foresaw goes to the log.
beforeEach(() => void vi.spyOn(console, 'error').mockImplementation(() => {}))

const definitions = {
  tts: ttsDefinition,
  stt: sttDefinition,
  llm: llmDefinition,
  embedding: embeddingDefinition,
}
const voices = [
  { id: 'ann', name: 'Ann', language: 'en-US', sampleRate: 16_000 },
  { id: 'ben', name: 'Ben', language: 'de-DE' },
]

function wav(samples: number[], sampleRate = 8000): Uint8Array {
  return encodeWav(Int16Array.from(samples), { sampleRate })
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

class LeastTts extends TTSContract {
  initialize(): void {}
  shutdown(): void {}
  healthCheck() {
    return { status: this.status }
  }
  seen: { text: string; voiceId: string | undefined; options: SynthesisOptions | undefined }[] = []
  synthesize(text: string, voiceId?: string, options?: SynthesisOptions): Uint8Array | never {
    this.seen.push({ text, voiceId, options })
    return wav(Array(80).fill(text.length))
  }
  getVoices() {
    return voices
  }
}

class LeastStt extends STTContract {
  initialize(): void {}
  shutdown(): void {}
  healthCheck() {
    return { status: this.status }
  }
  transcribe(audio: Uint8Array): string {
    return `${audio.length} bytes`
  }
  getLanguages() {
    return [{ code: 'en-US', name: 'English' }]
  }
}

class LeastLlm extends LLMContract {
  initialize(): void {}
  shutdown(): void {}
  healthCheck() {
    return { status: this.status }
  }
  options: GenerationOptions | undefined
  complete(prompt: string, options?: GenerationOptions): string {
    this.options = options
    return `${prompt}!`
  }
  chat(messages: ChatMessage[]): ChatMessage {
    return { role: 'assistant', content: `${messages.length} messages` }
  }
  getModels() {
    return [{ id: 'tiny', contextLength: 512 }]
  }
}

class LeastEmbedder extends EmbeddingContract {
  initialize(): void {}
  shutdown(): void {}
  healthCheck() {
    return { status: this.status }
  }
  answer: unknown
  seen: [string[], EmbeddingOptions | undefined][] = []
  embed(texts: string[], options?: EmbeddingOptions) {
    this.seen.push([texts, options])
    return (this.answer === undefined ? texts.map((text) => [text.length, 1]) : this.answer) as number[][]
  }
  getModels() {
    return [{ id: 'length', dimensions: 2, contextLength: 512 }]
  }
}

describe('the published contracts', () => {
  it.each(shippedContracts)('%s is published as it is defined', (name) => {
    const file = createRequire(import.meta.url).resolve(`@appfactory/sdk/contracts/${name}.json`)
    const published = JSON.parse(readFileSync(file, 'utf8'))
    expect(published).toEqual(JSON.parse(JSON.stringify(describeContract(definitions[name]))))
    expect(readShippedContract(name)).toEqual(published)
  })

  it.each([
    ['tts', ['synthesize', 'get_voices'], ['get_voice_info', 'synthesize_stream']],
    [
      'stt',
      ['transcribe', 'get_languages'],
      ['start_stream', 'feed_audio', 'end_stream', 'transcribe_stream'],
    ],
    ['llm', ['complete', 'chat', 'get_models'], ['stream_complete', 'stream_chat']],
    ['embedding', ['embed', 'get_models'], []],
  ])('%s has the wire names of the guide, and says which are required', (name, required, optional) => {
    const { methods } = readShippedContract(name)
    expect(methods.filter((method) => method.required).map(({ wire }) => wire)).toEqual(required)
    expect(methods.filter((method) => !method.required).map(({ wire }) => wire)).toEqual(optional)
  })

  it.each([
    ['tts', 'synthesize', ['text']],
    ['tts', 'get_voices', undefined],
    ['tts', 'get_voice_info', ['voice_id']],
    ['tts', 'synthesize_stream', ['text']],
    ['stt', 'transcribe', ['audio_b64']],
    ['stt', 'start_stream', undefined],
    ['stt', 'feed_audio', ['session_id', 'audio_b64']],
    ['stt', 'end_stream', ['session_id']],
    ['stt', 'transcribe_stream', ['audio_b64']],
    ['llm', 'complete', ['prompt']],
    ['llm', 'chat', ['messages']],
    ['llm', 'stream_complete', ['prompt']],
    ['llm', 'stream_chat', ['messages']],
    ['embedding', 'embed', ['texts']],
  ])('%s/%s requires %j', (name, wire, required) => {
    const method = readShippedContract(name).methods.find((each) => each.wire === wire)
    expect(method?.args['required']).toEqual(required)
    expect(method?.args['additionalProperties']).toBe(false)
    expect(method?.description).toMatch(/\.$/)
  })

  it('carry bytes as base64 in …_b64', () => {
    const bytes = { type: 'string', contentEncoding: 'base64' }
    const [synthesize, transcribe] = [methodOf('tts', 'synthesize'), methodOf('stt', 'transcribe')]
    expect(synthesize.result).toMatchObject({ properties: { audio_b64: bytes } })
    expect(synthesize.result['required']).toEqual(['audio_b64', 'format', 'sample_rate', 'channels'])
    expect(methodOf('tts', 'synthesize_stream').piece).toMatchObject({ properties: { audio_b64: bytes } })
    expect(transcribe.args).toMatchObject({ properties: { audio_b64: bytes } })
  })

  it('have nothing in camelCase on the wire', () => {
    const camel: string[] = []
    const visit = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      const { properties = {}, required = [] } = value as { properties?: object; required?: string[] }
      camel.push(...[...Object.keys(properties), ...required].filter((name) => /[A-Z]/.test(name)))
      for (const part of Object.values(value)) visit(part)
    }
    for (const name of shippedContracts)
      for (const { args, result, piece } of readShippedContract(name).methods) visit([args, result, piece])
    expect(camel).toEqual([])
  })

  it('have the guide’s defaults', () => {
    for (const wire of ['complete', 'chat', 'stream_complete', 'stream_chat'])
      expect(methodOf('llm', wire).args).toMatchObject({
        properties: { max_tokens: { default: 1024 }, temperature: { default: 0.7 } },
      })
  })
})

describe('arguments', () => {
  it('come by position, then the options, in TypeScript’s names', async () => {
    const { call, plugin } = await connect(LeastTts)
    await call('synthesize', {
      text: 'Hello',
      voice_id: 'ann',
      sample_rate: 8000,
      instructions: 'Whisper.',
      provider_options: { some_key: 1 },
    })
    const [seen] = (plugin as LeastTts).seen
    expect(seen).toMatchObject({ text: 'Hello', voiceId: 'ann' })
    expect(seen?.options).toMatchObject({
      sampleRate: 8000,
      instructions: 'Whisper.',
      providerOptions: { some_key: 1 },
    })
    expect(seen?.options?.signal).toBeInstanceOf(AbortSignal)
  })

  it('have their defaults', async () => {
    const { call, plugin } = await connect(LeastLlm)
    await call('complete', { prompt: 'Hi' })
    expect((plugin as LeastLlm).options).toMatchObject({ maxTokens: 1024, temperature: 0.7 })
    await call('complete', { prompt: 'Hi', max_tokens: 5, temperature: 0 })
    expect((plugin as LeastLlm).options).toMatchObject({ maxTokens: 5, temperature: 0 })
  })

  it.each([
    [LeastTts, 'synthesize', {}, 'text'],
    [LeastTts, 'synthesize', { text: 5 }, 'text'],
    [LeastTts, 'synthesize', { text: 'x', speed: 'fast' }, 'speed'],
    [LeastTts, 'synthesize', { text: 'x', text_type: 'html' }, 'text_type'],
    [LeastTts, 'synthesize', { text: 'x', instructions: ['loud'] }, 'instructions'],
    [LeastTts, 'synthesize', { text: 'x', voiceId: 'ann' }, 'voiceId'],
    [LeastTts, 'get_voices', { x: 1 }, 'x'],
    [LeastStt, 'transcribe', {}, 'audio_b64'],
    [LeastStt, 'transcribe', { audio_b64: '*' }, 'audio_b64'],
    [LeastLlm, 'chat', { messages: [] }, 'messages'],
    [LeastLlm, 'chat', { messages: [{ role: 'user', content: 'x' }, { role: 'bot' }] }, 'messages[1].role'],
    [LeastLlm, 'complete', { prompt: 'x', max_tokens: 0 }, 'max_tokens'],
    [LeastLlm, 'complete', { prompt: 'x', tools: [{}] }, 'tools[0].name'],
    [LeastEmbedder, 'embed', { texts: [] }, 'texts'],
    [LeastEmbedder, 'embed', { texts: 'x' }, 'texts'],
    [LeastEmbedder, 'embed', { texts: ['x', 5] }, 'texts[1]'],
    [LeastEmbedder, 'embed', { texts: ['x'], dimensions: 0 }, 'dimensions'],
  ])(
    '%o %s(%j) is INVALID_PARAMS at %s, before the author sees it',
    async (pluginClass, method, args, path) => {
      const { call } = await connect(pluginClass)
      const error = await call(method, args).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ codeName: 'INVALID_PARAMS', data: { plugin: 'test_plugin', method } })
      const { issues } = (error as { data: { issues: { path: string }[] } }).data
      expect(issues[0]?.path).toBe(path)
      expect((error as Error).message).toContain(path)
    },
  )

  it.each(['nope', 'getVoices', '', 'constructor', 'initialize', '__proto__', 5, null])(
    'a method %j is METHOD_NOT_FOUND',
    async (method) => {
      const { call } = await connect(LeastTts)
      await expect(call(method as string)).rejects.toMatchObject({ codeName: 'METHOD_NOT_FOUND' })
    },
  )
})

describe('a TTS plugin', () => {
  it('may return bare bytes: the header tells the rest', async () => {
    const { call } = await connect(LeastTts)
    expect(await call('synthesize', { text: 'Hello', voice_id: 'ann' })).toEqual({
      audio_b64: base64(wav(Array(80).fill(5))),
      format: 'wav',
      sample_rate: 8000,
      channels: 1,
      duration_ms: 10,
      voice_id: 'ann',
    })
  })

  it('may return bytes without a header: what was asked for is assumed, with a warning', async () => {
    class Raw extends LeastTts {
      override synthesize(): Uint8Array {
        return new Uint8Array(16_000)
      }
    }
    const { call } = await connect(Raw)
    expect(await call('synthesize', { text: 'x', sample_rate: 8000 })).toMatchObject({
      format: 'pcm_s16le',
      sample_rate: 8000,
      channels: 1,
      duration_ms: 1000,
      warnings: [expect.any(String)],
    })
  })

  it('may return a result: what it says counts', async () => {
    class Full extends TTSContract {
      initialize(): void {}
      shutdown(): void {}
      healthCheck() {
        return { status: this.status }
      }
      synthesize() {
        const words = [{ word: 'x', startMs: 0, endMs: 5 }]
        const metadata = { snake_case: 1, camelCase: 2 }
        const known = { format: 'mp3', sampleRate: 24_000, channels: 2, durationMs: 5 }
        return { audio: Uint8Array.of(1), ...known, words, metadata, usage: { characters: 1 } }
      }
      getVoices() {
        return voices
      }
    }
    const { call } = await connect(Full)
    expect(await call('synthesize', { text: 'x' })).toEqual({
      audio_b64: 'AQ==',
      format: 'mp3',
      sample_rate: 24_000,
      channels: 2,
      duration_ms: 5,
      words: [{ word: 'x', start_ms: 0, end_ms: 5 }],
      metadata: { snake_case: 1, camelCase: 2 },
      usage: { characters: 1 },
    })
  })

  it.each([null, undefined, 'text', 5, {}, { audio: 'AQ==' }])('may not return %o', async (answer) => {
    class Wrong extends LeastTts {
      override synthesize(): never {
        return answer as never
      }
    }
    const { call } = await connect(Wrong)
    await expect(call('synthesize', { text: 'x' })).rejects.toMatchObject({
      codeName: 'INTERNAL_ERROR',
      data: { plugin: 'test_plugin', method: 'synthesize', error: 'TypeError' },
    })
  })

  it('finds a voice among its voices by default', async () => {
    const { call } = await connect(LeastTts)
    expect(await call('get_voice_info', { voice_id: 'ann' })).toEqual({
      id: 'ann',
      name: 'Ann',
      language: 'en-US',
      sample_rate: 16_000,
    })
    await expect(call('get_voice_info', { voice_id: 'cat' })).rejects.toMatchObject({
      codeName: 'TTS_VOICE_NOT_FOUND',
      data: { voices: ['ann', 'ben'] },
    })
  })

  it('streams sentence by sentence by default', async () => {
    const { stream, plugin } = await connect(LeastTts)
    const pieces = await all(stream('synthesize_stream', { text: 'One. Two is longer.', voice_id: 'ben' }))
    expect(pieces).toMatchObject([
      { text: 'One.', format: 'wav', sample_rate: 8000, duration_ms: 10, voice_id: 'ben' },
      { text: 'Two is longer.', audio_b64: base64(wav(Array(80).fill(14))) },
    ])
    expect((plugin as LeastTts).seen.map(({ voiceId }) => voiceId)).toEqual(['ben', 'ben'])
  })

  it('speaks text while it arrives', async () => {
    const { stream } = await connect(LeastTts)
    const args = { text: { $input: true } }
    async function* input(): AsyncGenerator<string> {
      yield* ['One. T', 'wo. ', 'Three']
    }
    const pieces = await all(stream('synthesize_stream', args, { input: input() }))
    expect(pieces.map((piece) => (piece as { text: string }).text)).toEqual(['One.', 'Two.', 'Three'])
  })

  it('refuses text of the wrong kind while it arrives', async () => {
    const { stream } = await connect(LeastTts)
    async function* input(): AsyncGenerator<unknown> {
      yield 5
    }
    const pieces = stream('synthesize_stream', { text: { $input: true } }, { input: input() })
    await expect(all(pieces)).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
  })

  it('called once instead of as a stream returns one WAV of all pieces', async () => {
    const { call } = await connect(LeastTts)
    const whole = (await call('synthesize_stream', { text: 'One. Two.' })) as { audio_b64: string }
    expect(whole).toMatchObject({ format: 'wav', sample_rate: 8000, channels: 1, duration_ms: 20 })
    expect(whole).not.toHaveProperty('text')
    expect(decodeWav(Buffer.from(whole.audio_b64, 'base64'))?.data.length).toBe(320)
  })
})

describe('an STT plugin', () => {
  it('may return a bare text', async () => {
    const { call } = await connect(LeastStt)
    expect(await call('transcribe', { audio_b64: 'AQID' })).toEqual({ text: '3 bytes' })
    expect(await call('get_languages')).toEqual([{ code: 'en-US', name: 'English' }])
  })

  it.each([
    ['start_stream', {}],
    ['feed_audio', { session_id: 's', audio_b64: '' }],
    ['end_stream', { session_id: 's' }],
  ])('without sessions has no %s', async (method, args) => {
    const { call } = await connect(LeastStt)
    await expect(call(method, args)).rejects.toMatchObject({ codeName: 'METHOD_NOT_FOUND' })
  })

  it('without sessions transcribes a stream at its end', async () => {
    const { stream, call } = await connect(LeastStt)
    async function* input(): AsyncGenerator<string> {
      yield* ['AQI=', 'AwQ=']
    }
    const args = { audio_b64: { $input: true } }
    expect(await all(stream('transcribe_stream', args, { input: input() }))).toEqual([
      { partial: null, final: '4 bytes' },
    ])
    expect(await call('transcribe_stream', { audio_b64: 'AQID' })).toEqual({ text: '3 bytes' })
  })

  class Sessions extends LeastStt {
    readonly open = new Map<string, number[]>()
    override startStream(): string {
      this.open.set('s1', [])
      return 's1'
    }
    override feedAudio(sessionId: string, chunk: Uint8Array) {
      if (chunk.length === 0) return null
      const heard = this.open.get(sessionId) ?? []
      heard.push(...chunk)
      return { partial: heard.join(' '), final: null }
    }
    override endStream(sessionId: string): string {
      const heard = this.open.get(sessionId) ?? []
      this.open.delete(sessionId)
      return heard.join('+')
    }
  }

  it('has sessions where it overrides them', async () => {
    const { call } = await connect(Sessions)
    expect(await call('start_stream', { language: 'en-US' })).toEqual({ session_id: 's1' })
    expect(await call('feed_audio', { session_id: 's1', audio_b64: 'AQI=' })).toEqual({
      partial: '1 2',
      final: null,
    })
    expect(await call('feed_audio', { session_id: 's1', audio_b64: '' })).toEqual({
      partial: null,
      final: null,
    })
    expect(await call('end_stream', { session_id: 's1' })).toEqual({ text: '1+2' })
  })

  it('streams over its sessions by default, and ends one that its reader leaves', async () => {
    const { stream, plugin } = await connect(Sessions)
    async function* input(): AsyncGenerator<string> {
      for (;;) yield 'AQ=='
    }
    const options = { input: input() }
    for await (const piece of stream('transcribe_stream', { audio_b64: { $input: true } }, options)) {
      expect(piece).toMatchObject({ partial: '1' })
      break
    }
    expect((plugin as Sessions).open.size).toBe(0)
  })
})

describe('an LLM plugin', () => {
  it('may return bare texts and messages', async () => {
    const { call } = await connect(LeastLlm)
    expect(await call('complete', { prompt: 'Hi' })).toEqual({ text: 'Hi!', finish_reason: 'stop' })
    expect(await call('chat', { messages: [{ role: 'user', content: 'x' }] })).toEqual({
      message: { role: 'assistant', content: '1 messages' },
      finish_reason: 'stop',
    })
    expect(await call('get_models')).toEqual([{ id: 'tiny', context_length: 512 }])
  })

  it('streams its answer in one piece by default', async () => {
    const { stream } = await connect(LeastLlm)
    expect(await all(stream('stream_complete', { prompt: 'Hi' }))).toEqual([
      { text: 'Hi!', finish_reason: 'stop' },
    ])
    expect(await all(stream('stream_chat', { messages: [{ role: 'user', content: 'x' }] }))).toEqual([
      { text: '1 messages', finish_reason: 'stop' },
    ])
  })

  it('that streams answers once with the whole, tool calls included', async () => {
    class Streaming extends LeastLlm {
      override async *streamComplete() {
        yield 'Once '
        yield { text: 'upon', finishReason: 'length', tokensUsed: 7 }
      }
      override async *streamChat() {
        const call = (id: string) => ({ id, name: 'clock', arguments: { time_zone: 'UTC' } })
        yield { text: 'Wait', toolCalls: [call('1')] }
        yield { text: '.', toolCalls: [call('2')], finishReason: 'tool_calls' }
      }
    }
    const { call, stream } = await connect(Streaming)
    expect(await call('stream_complete', { prompt: 'x' })).toEqual({
      text: 'Once upon',
      finish_reason: 'length',
      tokens_used: 7,
    })
    expect(await all(stream('stream_complete', { prompt: 'x' }))).toEqual([
      { text: 'Once ' },
      { text: 'upon', finish_reason: 'length', tokens_used: 7 },
    ])
    expect(await call('stream_chat', { messages: [{ role: 'user', content: 'x' }] })).toEqual({
      message: {
        role: 'assistant',
        content: 'Wait.',
        tool_calls: ['1', '2'].map((id) => ({ id, name: 'clock', arguments: { time_zone: 'UTC' } })),
      },
      finish_reason: 'tool_calls',
    })
  })
})

describe('the content of a chat message', () => {
  class Listening extends LeastLlm {
    heard: ChatMessage[] = []
    override chat(messages: ChatMessage[]): ChatMessage {
      this.heard = messages
      return { role: 'assistant', content: 'fine' }
    }
  }
  const text = (words: string) => ({ type: 'text', text: words })
  const image = { type: 'image', image_b64: 'AQI=', media_type: 'image/png' }
  const audio = { type: 'audio', audio_b64: 'AwQ=', format: 'wav' }
  const parts = (...content: unknown[]) => ({ messages: [{ role: 'user', content }] })

  it('may be null, as of an assistant that only calls tools', async () => {
    const { call, plugin } = await connect(Listening)
    const toolCalls = [{ id: '1', name: 'clock', arguments: { time_zone: 'UTC' } }]
    const messages = [
      { role: 'assistant', content: null, tool_calls: toolCalls },
      { role: 'tool', content: 'noon', tool_call_id: '1', name: null },
    ]
    expect(await call('chat', { messages, model: null, max_tokens: null, tools: null })).toMatchObject({
      message: { content: 'fine' },
    })
    expect((plugin as Listening).heard).toEqual([
      { role: 'assistant', content: null, toolCalls },
      { role: 'tool', content: 'noon', toolCallId: '1' },
    ])
  })

  it('may be null in an answer, whole and streamed', async () => {
    class Calling extends LeastLlm {
      override chat(): ChatMessage {
        return { role: 'assistant', content: null, toolCalls: [{ id: '1', name: 'clock', arguments: {} }] }
      }
    }
    const { call, stream } = await connect(Calling)
    const asked = { messages: [{ role: 'user', content: 'x' }] }
    expect(await call('chat', asked)).toMatchObject({ message: { content: null, tool_calls: [{ id: '1' }] } })
    expect(await all(stream('stream_chat', asked))).toMatchObject([{ text: '', tool_calls: [{ id: '1' }] }])
  })

  it.each(['chat', 'stream_chat'])(
    'that is parts arrives as text where %s takes no other',
    async (method) => {
      const { call, plugin } = await connect(Listening)
      await call(method, parts(text('Hello '), text('world')))
      expect((plugin as Listening).heard).toEqual([{ role: 'user', content: 'Hello world' }])
      await call(method, parts())
      expect((plugin as Listening).heard).toEqual([{ role: 'user', content: '' }])
    },
  )

  it.each([
    ['an image', undefined, image, 1],
    ['audio', undefined, audio, 1],
    ['audio', ['image_input'], audio, 1],
    ['an image', { audio_input: true, image_input: false }, image, 1],
  ])('with %s is refused before a plugin that says %j is called', async (_, capabilities, part, index) => {
    for (const method of ['chat', 'stream_chat']) {
      const { call, plugin } = await connect(Listening, capabilities && { capabilities })
      await expect(call(method, parts(text('x'), part))).rejects.toMatchObject({
        codeName: 'INVALID_PARAMS',
        data: { issues: [{ path: `messages[0].content[${index}]` }] },
      })
      expect((plugin as Listening).heard).toEqual([])
      expect(await call(method, parts(text('x')))).toMatchObject({ message: { content: 'fine' } })
    }
  })

  it.each([
    [
      'image',
      ['image_input', 'tools'],
      image,
      { type: 'image', image: Uint8Array.of(1, 2), mediaType: 'image/png' },
    ],
    ['audio', { audio_input: true }, audio, { type: 'audio', audio: Uint8Array.of(3, 4), format: 'wav' }],
  ])(
    'with %s arrives in parts, with bytes as bytes, where the plugin takes them',
    async (_, capabilities, part, local) => {
      const { call, plugin } = await connect(Listening, { capabilities })
      await call('chat', parts(text('What is this?'), part))
      expect((plugin as Listening).heard).toEqual([
        { role: 'user', content: [{ type: 'text', text: 'What is this?' }, local] },
      ])
    },
  )

  it.each([
    ['a number', 5],
    ['a part without type', [{ text: 'x' }]],
    ['a part of another type', [{ type: 'video', video_b64: '' }]],
    ['an image without bytes', [{ type: 'image', media_type: 'image/png' }]],
  ])('that is %s is refused', async (_, content) => {
    const { call } = await connect(Listening, { capabilities: ['image_input'] })
    await expect(call('chat', { messages: [{ role: 'user', content }] })).rejects.toMatchObject({
      codeName: 'INVALID_PARAMS',
    })
  })

  it('is text for who wants no more', () => {
    expect(textOf({ content: 'a' })).toBe('a')
    expect(textOf({ content: null })).toBe('')
    const photo = { type: 'image' as const, image: Uint8Array.of(1), mediaType: 'image/png' }
    expect(textOf({ content: [{ type: 'text', text: 'a' }, photo, { type: 'text', text: 'b' }] })).toBe('ab')
  })
})

describe('an embedding plugin', () => {
  it('gets the texts, then the options', async () => {
    const { call, plugin } = await connect(LeastEmbedder)
    await call('embed', {
      texts: ['a', ''],
      model: 'length',
      dimensions: 2,
      provider_options: { some_key: 1 },
    })
    const [[texts, options] = []] = (plugin as LeastEmbedder).seen
    expect(texts).toEqual(['a', ''])
    expect(options).toMatchObject({ model: 'length', dimensions: 2, providerOptions: { some_key: 1 } })
    expect(options?.signal).toBeInstanceOf(AbortSignal)
    expect(await call('get_models')).toEqual([{ id: 'length', dimensions: 2, context_length: 512 }])
  })

  it.each([
    ['arrays', [[1, 2]]],
    ['typed arrays', [Float32Array.of(1, 2)]],
    ['a result', { embeddings: [[1, 2]] }],
    ['a result of typed arrays', { embeddings: [Float64Array.of(1, 2)] }],
  ])('may return %s', async (_, answer) => {
    const { call, plugin } = await connect(LeastEmbedder)
    Object.assign(plugin, { answer })
    expect(await call('embed', { texts: ['a'] })).toEqual({ embeddings: [[1, 2]] })
  })

  it('may tell more', async () => {
    const { call, plugin } = await connect(LeastEmbedder)
    Object.assign(plugin, {
      answer: { embeddings: [[1, 2]], model: 'length', usage: { promptTokens: 3 }, warnings: ['cut'] },
    })
    expect(await call('embed', { texts: ['a'] })).toEqual({
      embeddings: [[1, 2]],
      model: 'length',
      usage: { prompt_tokens: 3 },
      warnings: ['cut'],
    })
  })

  it.each([
    ['nothing', null],
    ['an object without embeddings', {}],
    ['a vector', [1, 2]],
    ['text', 'x'],
    ['texts', ['x', 'y']],
    ['bytes', [new DataView(new ArrayBuffer(2)), [1]]],
    ['too few', [[1, 2]]],
    ['too many', [[1], [2], [3]]],
    ['embeddings of several lengths', [[1, 2], [1]]],
    ['embeddings without numbers', [[], []]],
    ['what is no number', [[Number.NaN], [1]]],
    ['infinity', { embeddings: [[1], [Number.POSITIVE_INFINITY]] }],
    [
      'null among numbers',
      [
        [1, null],
        [1, 2],
      ],
    ],
  ])('that returns %s has failed', async (_, answer) => {
    const { call, plugin } = await connect(LeastEmbedder)
    Object.assign(plugin, { answer })
    await expect(call('embed', { texts: ['a', 'b'] })).rejects.toMatchObject({ codeName: 'INTERNAL_ERROR' })
    Object.assign(plugin, { answer: [[1], [2]] })
    expect(await call('embed', { texts: ['a', 'b'] })).toEqual({ embeddings: [[1], [2]] })
  })

  it('that does not know of dimensions refuses those that it does not have', async () => {
    const { call } = await connect(LeastEmbedder)
    expect(await call('embed', { texts: ['a'], dimensions: 2 })).toEqual({ embeddings: [[1, 1]] })
    await expect(call('embed', { texts: ['a'], dimensions: 3 })).rejects.toMatchObject({
      codeName: 'INVALID_PARAMS',
      data: { issues: [{ path: 'dimensions' }] },
    })
  })
})

describe('null for an optional argument', () => {
  it.each([
    ['tts', LeastTts, 'synthesize', { text: 'x', voice_id: null, speed: null, provider_options: null }],
    ['stt', LeastStt, 'transcribe', { audio_b64: '', language: null, word_timestamps: null }],
    [
      'llm',
      LeastLlm,
      'complete',
      { prompt: 'x', max_tokens: null, response_format: { type: 'json', schema: null }, tool_choice: null },
    ],
  ] as const)('counts as absent: %s', async (_, Plugin, method, args) => {
    const { call } = await connect(Plugin)
    const result = await call(method, args)
    expect(result).not.toHaveProperty('voice_id')
    expect(result).toBeTruthy()
  })

  it('gives the default', async () => {
    const { call, plugin } = await connect(LeastLlm)
    await call('complete', { prompt: 'x', max_tokens: null, temperature: null, stop_sequences: null })
    expect((plugin as LeastLlm).options).toMatchObject({ maxTokens: 1024, temperature: 0.7 })
    expect((plugin as LeastLlm).options).not.toHaveProperty('stopSequences')
  })

  it('is still refused for one that is required', async () => {
    const { call } = await connect(LeastTts)
    await expect(call('synthesize', { text: null })).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
  })
})

describe('errors of a plugin', () => {
  it('that it foresaw reach the caller as they are', async () => {
    class TooLong extends LeastTts {
      override synthesize(): never {
        throw new PluginError(1002, 'Text exceeds maximum length', { limit: 3 })
      }
    }
    const { call } = await connect(TooLong)
    await expect(call('synthesize', { text: 'long' })).rejects.toMatchObject({
      code: 1002,
      message: 'Text exceeds maximum length',
      data: { limit: 3 },
    })
  })

  it('a stream that is none fails', async () => {
    class NoStream extends LeastLlm {
      override streamComplete(): never {
        return 5 as never
      }
    }
    const { call, stream } = await connect(NoStream)
    await expect(call('stream_complete', { prompt: 'x' })).rejects.toMatchObject({
      codeName: 'INTERNAL_ERROR',
    })
    await expect(all(stream('stream_complete', { prompt: 'x' }))).rejects.toMatchObject({
      codeName: 'INTERNAL_ERROR',
    })
  })

  it('a call that answers once can’t be streamed', async () => {
    const { stream } = await connect(LeastTts)
    await expect(all(stream('get_voices'))).rejects.toMatchObject({ codeName: 'INVALID_PARAMS' })
  })
})

describe('status', () => {
  it('follows the plugin’s life without its doing', async () => {
    const plugin = new LeastTts()
    expect(plugin.status).toBe(PluginStatus.UNLOADED)
    const initializing = plugin.initialize()
    expect(plugin.status).toBe(PluginStatus.INITIALIZING)
    await initializing
    expect(plugin.status).toBe(PluginStatus.READY)
    await plugin.shutdown()
    expect(plugin.status).toBe(PluginStatus.STOPPED)
  })

  it.each([
    ['throws', () => Promise.reject(new Error('no model'))],
    ['returns false', () => false],
  ])('is ERROR where initialize %s', async (_, initialize) => {
    class Broken extends LeastTts {
      override initialize = initialize as () => void
    }
    const { plugin } = await connect(Broken)
    const { trackLifecycle } = await import('../dist/contracts/base.js')
    trackLifecycle(plugin)
    await Promise.resolve(plugin.initialize({} as never)).catch(() => {})
    expect(plugin.status).toBe(PluginStatus.ERROR)
  })

  it('is BUSY while a call is in flight', async () => {
    class Looking extends LeastTts {
      override getVoices() {
        return [{ id: this.status, name: 'status', language: 'en' }]
      }
    }
    const { plugin, call } = await connect(Looking)
    await plugin.initialize({} as never)
    expect(await call('get_voices')).toMatchObject([{ id: 'BUSY' }])
    expect(plugin.status).toBe(PluginStatus.READY)
  })

  it('has a manifest once it runs, and says so before', async () => {
    expect(() => new LeastTts().manifest).toThrow()
    const { plugin } = await connect(LeastTts)
    expect([plugin.name, plugin.version]).toEqual(['test_plugin', '1.0.0'])
  })
})

describe('defineContract', () => {
  const minimal = { args: z.object({}), result: z.object({}) }

  it.each([
    ['a name with capitals', { name: 'Embedding', version: '1.0.0', methods: {} }],
    ['a method in snake_case', { name: 'x', version: '1.0.0', methods: { get_it: minimal } }],
    ['a method with a capital', { name: 'x', version: '1.0.0', methods: { GetIt: minimal } }],
    ...['initialize', 'shutdown', 'healthCheck', 'status', 'name', 'then', 'constructor', 'unload'].map(
      (method) =>
        [`the method ${method}`, { name: 'x', version: '1.0.0', methods: { [method]: minimal } }] as const,
    ),
    [
      'a stream without a piece',
      { name: 'x', version: '1.0.0', methods: { feed: { ...minimal, kind: 'stream' } } },
    ],
  ] as const)('refuses %s', (_, definition) => {
    expect(() => defineContract(definition as never)).toThrow(TypeError)
  })

  const EmbeddingContract = defineContract({
    name: 'embedding',
    version: '1.0.0',
    methods: {
      embed: {
        args: z
          .object({
            inputTexts: z.array(z.string().trim().min(1)),
            maxNorm: z.number().default(1),
            rawImage: z.custom<Uint8Array>((value) => value instanceof Uint8Array).optional(),
          })
          .refine(({ inputTexts }) => inputTexts.length !== 13, { path: ['inputTexts'], message: 'unlucky' }),
        result: z.object({ vectors: z.array(z.array(z.number())), rawImage: z.unknown().optional() }),
      },
      count: {
        kind: 'stream',
        args: z.object({ upTo: z.int() }),
        piece: z.object({ number: z.number() }),
        result: z.object({ sum: z.number() }),
        aggregate: (pieces: { number: number }[]) => ({
          sum: pieces.reduce((sum, { number }) => sum + number, 0),
        }),
      },
      list: { args: z.object({}), result: z.array(z.string()), required: false },
    },
  })

  class Embedding extends EmbeddingContract {
    seen: unknown
    signal: unknown
    initialize(): void {}
    shutdown(): void {}
    healthCheck() {
      return { status: this.status }
    }
    embed(args: { inputTexts: string[]; maxNorm: number }, { signal }: CallContext) {
      this.seen = args
      this.signal = signal
      return { vectors: args.inputTexts.map(() => [args.maxNorm]) }
    }
    async *count({ upTo }: { upTo: number }) {
      for (let number = 1; number <= upTo; number++) yield { number }
    }
  }

  it('gives the method one object, checked and transformed by the author’s own Zod schema', async () => {
    const { call, plugin } = await connect(Embedding)
    expect(await call('embed', { input_texts: [' a ', 'b'], raw_image_b64: 'AQ==' })).toEqual({
      vectors: [[1], [1]],
    })
    expect((plugin as Embedding).seen).toMatchObject({ inputTexts: ['a', 'b'], maxNorm: 1 })
    expect((plugin as Embedding).seen).toMatchObject({ rawImage: expect.any(Uint8Array) })
    expect((plugin as Embedding).signal).toBeInstanceOf(AbortSignal)
  })

  it.each([
    [{ input_texts: Array(13).fill('x') }, 'input_texts'],
    [{ input_texts: ['a', '  '] }, 'input_texts.1'],
    [{}, 'input_texts'],
  ])('%j is INVALID_PARAMS at %s', async (args, path) => {
    const { call } = await connect(Embedding)
    await expect(call('embed', args)).rejects.toMatchObject({
      codeName: 'INVALID_PARAMS',
      data: { issues: [{ path }] },
    })
  })

  it('streams pieces, and answers once with their aggregate', async () => {
    const { call, stream } = await connect(Embedding)
    expect(await all(stream('count', { up_to: 3 }))).toEqual([{ number: 1 }, { number: 2 }, { number: 3 }])
    expect(await call('count', { up_to: 3 })).toEqual({ sum: 6 })
  })

  it('has no method that the author did not write', async () => {
    const { call } = await connect(Embedding)
    await expect(call('list')).rejects.toMatchObject({ codeName: 'METHOD_NOT_FOUND' })
  })
})

function methodOf(contract: string, wire: string) {
  const method = readShippedContract(contract).methods.find((each) => each.wire === wire)
  if (!method) throw new Error(`no ${contract}/${wire}`)
  return method
}
