import { setTimeout as delay } from 'node:timers/promises'
import {
  defineContract,
  encodeWav,
  PluginError,
  type PluginStatus,
  type SynthesisOptions,
  type SynthesisResult,
} from '@appfactory/sdk'
import { type CheckTarget, classTarget, type TestedClass } from '@appfactory/sdk/testing'
import { type Breakage, blocking, broken, calls, changing, lax, streams } from './breakages.js'
import { GoodEmbedder, GoodLlm, GoodOwn, GoodStt, GoodTts, OwnContract } from './good-plugins.js'

export interface Mutant {
  /** The check that must fail, and no other. */
  fails: string
  /** What is broken, where the id does not say. */
  how?: string
  target: CheckTarget
}

const mutant = (fails: string, target: CheckTarget | TestedClass, how?: string): Mutant => ({
  fails,
  target: typeof target === 'function' ? classTarget(target) : target,
  ...(how === undefined ? {} : { how }),
})

/** All breakages that a method of its kind can have. */
function each(
  contract: string,
  good: TestedClass,
  method: string,
  breakages: Record<string, Breakage>,
): Mutant[] {
  const wire = wireOf(method)
  return [
    ...Object.entries(breakages).map(([kind, breakage]) =>
      mutant(`${contract}.${wire}.${kind}`, broken(good, method, breakage)),
    ),
    mutant(`${contract}.${wire}.arguments`, lax(good, wire, 'INVALID_PARAMS')),
  ]
}

function wireOf(method: string): string {
  return method.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** A text-to-speech plugin of which some members are others. */
const life: Mutant[] = [
  mutant(
    'lifecycle.load',
    class extends GoodTts {
      override getVoices = undefined as never
    },
  ),
  mutant(
    'lifecycle.initialize',
    class extends GoodTts {
      override initialize() {
        throw new Error('no engine')
      }
    },
    'throws',
  ),
  mutant(
    'lifecycle.initialize',
    class extends GoodTts {
      override initialize() {
        return false
      }
    },
    'returns false',
  ),
  mutant(
    'status.ready',
    class extends GoodTts {
      override get status(): PluginStatus {
        return 'UNLOADED'
      }
      override healthCheck() {
        return { status: 'READY' as const }
      }
    },
  ),
  mutant(
    'status.stopped',
    class extends GoodTts {
      override get status(): PluginStatus {
        return 'READY'
      }
    },
  ),
  mutant(
    'health.shape',
    class extends GoodTts {
      override healthCheck() {
        return { status: 'FINE' as never }
      }
    },
    'unknown status',
  ),
  mutant(
    'health.shape',
    class extends GoodTts {
      override healthCheck() {
        return { status: this.status, details: { itself: 1n } }
      }
    },
    'details that are not JSON',
  ),
  mutant(
    'health.ready',
    class extends GoodTts {
      override healthCheck() {
        return { status: 'ERROR' as const }
      }
    },
  ),
  mutant(
    'health.during_calls',
    class extends GoodTts {
      override healthCheck() {
        if (this.status === 'BUSY') throw new Error('busy')
        return super.healthCheck()
      }
    },
  ),
  mutant(
    'manifest.capabilities',
    classTarget(GoodTts, { manifest: { capabilities: ['streaming', 'sessions'] } }),
    'has no sessions',
  ),
  mutant(
    'manifest.capabilities',
    classTarget(GoodLlm, { manifest: { capabilities: { hot_swap_state: true } } }),
    'keeps no state',
  ),
  mutant('errors.unknown_method', lax(GoodTts, 'no_such_method', 'METHOD_NOT_FOUND')),
  mutant(
    'lifecycle.shutdown_unused',
    class extends GoodTts {
      override shutdown() {
        if (this.calls === 0) throw new Error('there is no engine to free')
      }
    },
  ),
  mutant(
    'lifecycle.shutdown',
    class extends GoodTts {
      override shutdown() {
        if (this.calls > 0) throw new Error('busy')
      }
    },
    'throws',
  ),
  mutant(
    'lifecycle.shutdown',
    class extends GoodTts {
      override async shutdown() {
        if (this.calls > 0) await delay(5000)
      }
    },
    'takes too long',
  ),
  mutant(
    'lifecycle.restart',
    class Once extends GoodTts {
      static used = false
      #spoke = false
      override initialize() {
        if (Once.used) throw new Error('the port is taken')
      }
      override async synthesize(text: string, voiceId?: string, options?: SynthesisOptions) {
        this.#spoke = true
        return super.synthesize(text, voiceId, options)
      }
      override shutdown() {
        Once.used ||= this.#spoke
      }
    },
  ),
  mutant(
    'state.round_trip',
    class extends GoodTts {
      override async restoreState() {}
    },
    'forgets',
  ),
  mutant(
    'state.round_trip',
    class extends GoodTts {
      override captureState() {
        return { since: new Date(0) }
      }
    },
    'is no JSON',
  ),
  mutant(
    'state.round_trip',
    class extends GoodTts {
      override async restoreState() {
        throw new Error('what is this')
      }
    },
    'refuses its own',
  ),
]

const speech =
  (change: Partial<SynthesisResult>): Breakage =>
  (whole) =>
    async function (...args) {
      return { ...((await whole.apply(this, args)) as SynthesisResult), ...change }
    }

const tts: Mutant[] = [
  ...each('tts', GoodTts, 'synthesize', calls),
  mutant('tts.synthesize.audio', broken(GoodTts, 'synthesize', speech({ audio: new Uint8Array() })), 'empty'),
  mutant(
    'tts.synthesize.audio',
    broken(GoodTts, 'synthesize', speech({ audio: encodeWav(new Int16Array(), { sampleRate: 8000 }) })),
    'a header only',
  ),
  mutant('tts.synthesize.audio', broken(GoodTts, 'synthesize', speech({ format: 'mp3' })), 'another format'),
  mutant('tts.synthesize.figures', broken(GoodTts, 'synthesize', speech({ sampleRate: 16_000 })), 'rate'),
  mutant('tts.synthesize.figures', broken(GoodTts, 'synthesize', speech({ durationMs: 1 })), 'duration'),
  mutant(
    'tts.synthesize.voice',
    broken(
      GoodTts,
      'synthesize',
      (whole) =>
        async function (text, voiceId, options) {
          if (voiceId === 'no-such-voice') throw new PluginError('TTS_SYNTHESIS_FAILED', 'failed')
          return whole.call(this, text, voiceId, options)
        },
    ),
    'another code',
  ),
  mutant(
    'tts.synthesize.voice',
    broken(
      GoodTts,
      'synthesize',
      (whole) =>
        async function (text, voiceId, options) {
          return whole.call(this, text, voiceId === 'high' ? 'unknown' : voiceId, options)
        },
    ),
    'a listed voice is missing',
  ),
  mutant(
    'tts.get_voices.result',
    broken(GoodTts, 'getVoices', () => () => [{ id: 'low' }]),
  ),
  mutant('tts.get_voices.arguments', lax(GoodTts, 'get_voices', 'INVALID_PARAMS')),
  mutant(
    'tts.get_voices.unique',
    broken(
      GoodTts,
      'getVoices',
      (whole) =>
        function () {
          const voices = whole.call(this) as unknown[]
          return [...voices, ...voices]
        },
    ),
  ),
  mutant(
    'tts.get_voice_info.result',
    broken(
      GoodTts,
      'getVoiceInfo',
      (whole) =>
        async function () {
          return whole.call(this, 'low')
        },
    ),
  ),
  mutant('tts.get_voice_info.arguments', lax(GoodTts, 'get_voice_info', 'INVALID_PARAMS')),
  ...each('tts', GoodTts, 'synthesizeStream', streams),
  mutant(
    'tts.synthesize_stream.pieces',
    broken(
      GoodTts,
      'synthesizeStream',
      changing((piece) => ({ ...piece, text: 42 })),
    ),
  ),
  mutant(
    'tts.synthesize_stream.input',
    broken(
      GoodTts,
      'synthesizeStream',
      (whole) =>
        async function* (text, ...rest) {
          yield* whole.call(this, (text as string).slice(0), ...rest) as AsyncIterable<unknown>
        },
    ),
  ),
  mutant(
    'tts.synthesize_stream.audio',
    broken(
      GoodTts,
      'synthesizeStream',
      changing((piece) => ({ ...piece, channels: 2 })),
    ),
  ),
  mutant(
    'tts.synthesize_stream.joined',
    broken(
      GoodTts,
      'synthesizeStream',
      changing(({ durationMs: _left, ...piece }) => ({
        ...piece,
        audio: encodeWav(new Int16Array(80), { sampleRate: 8000 }),
        durationMs: 10,
      })),
    ),
  ),
]

/** Hears the recording to its end, whatever happens. */
const deaf: Breakage = (whole) =>
  async function* (audio, options) {
    const chunks: Uint8Array[] = []
    for await (const chunk of audio as AsyncIterable<Uint8Array>) chunks.push(chunk)
    if (Buffer.concat(chunks).length > 100_000) await delay(1500)
    yield* whole.call(this, chunks, options) as AsyncIterable<unknown>
  }

const stt: Mutant[] = [
  ...each('stt', GoodStt, 'transcribe', calls),
  mutant(
    'stt.transcribe.language',
    broken(
      GoodStt,
      'transcribe',
      (whole) =>
        async function (audio, language, options) {
          if (language === 'zz-ZZ') throw new PluginError('STT_AUDIO_INVALID', 'what?')
          return whole.call(this, audio, language, options)
        },
    ),
  ),
  mutant(
    'stt.get_languages.result',
    broken(GoodStt, 'getLanguages', () => () => ['en-US']),
  ),
  mutant('stt.get_languages.arguments', lax(GoodStt, 'get_languages', 'INVALID_PARAMS')),
  mutant(
    'stt.get_languages.unique',
    broken(GoodStt, 'getLanguages', () => () => [
      { code: 'en', name: 'English' },
      { code: 'en', name: 'American' },
    ]),
  ),
  ...['start_stream', 'feed_audio', 'end_stream'].map((wire) =>
    mutant(`stt.${wire}.arguments`, laxButForSessions(wire)),
  ),
  mutant(
    'stt.sessions.whole',
    broken(GoodStt, 'endStream', () => () => 42),
  ),
  mutant(
    'stt.sessions.unknown',
    class extends GoodStt {
      protected override bytesOf(sessionId: string): number {
        const bytes = this.sessions.get(sessionId)
        if (bytes === undefined) throw new TypeError('undefined is not an object')
        return bytes
      }
    },
  ),
  mutant(
    'stt.sessions.ended',
    class extends GoodStt {
      override async endStream(sessionId: string) {
        return `${this.bytesOf(sessionId)} bytes`
      }
    },
  ),
  mutant(
    'stt.sessions.interleaved',
    class extends GoodStt {
      #heard = 0
      override startStream() {
        this.#heard = 0
        return super.startStream()
      }
      override async feedAudio(sessionId: string, chunk: Uint8Array) {
        this.#heard += chunk.length
        return super.feedAudio(sessionId, chunk)
      }
      override async endStream(sessionId: string) {
        await super.endStream(sessionId)
        return `${this.#heard} bytes`
      }
    },
  ),
  ...each('stt', GoodStt, 'transcribeStream', { ...streams, cancel: deaf }),
  mutant(
    'stt.transcribe_stream.pieces',
    broken(
      GoodStt,
      'transcribeStream',
      changing((piece) => ({ ...piece, words: 42 })),
    ),
  ),
  mutant(
    'stt.transcribe_stream.input',
    broken(
      GoodStt,
      'transcribeStream',
      (whole) =>
        async function* (audio, options) {
          const chunks: unknown[] = []
          for await (const chunk of audio as AsyncIterable<unknown>) chunks.push(chunk)
          if (chunks.length > 1) throw new Error('only one file, please')
          yield* whole.call(this, chunks, options) as AsyncIterable<unknown>
        },
    ),
  ),
  mutant(
    'stt.transcribe_stream.joined',
    broken(
      GoodStt,
      'transcribeStream',
      changing((piece, index) => ({ ...piece, final: piece['final'] ?? `guess ${index}` })),
    ),
  ),
]

/** `lax`, but unknown sessions are still refused. */
function laxButForSessions(wire: string): CheckTarget {
  const target = classTarget(GoodStt)
  return {
    ...target,
    start: async (config) => {
      const plugin = await target.start(config)
      const call = plugin.call.bind(plugin)
      plugin.call = (method, args, options) =>
        call(method, args, options).catch((error: PluginError) => {
          if (method === wire && error.data !== undefined) return null
          throw error
        })
      return plugin
    },
  }
}

const withoutLast: Breakage = (whole) =>
  async function* (...args) {
    const pieces: unknown[] = []
    for await (const piece of whole.apply(this, args) as AsyncIterable<unknown>) pieces.push(piece)
    yield* pieces.length > 1 ? pieces.slice(0, -1) : ['']
  }

const llm: Mutant[] = [
  ...each('llm', GoodLlm, 'complete', calls),
  ...each('llm', GoodLlm, 'chat', calls),
  mutant(
    'llm.chat.role',
    broken(GoodLlm, 'chat', () => async () => ({ role: 'user', content: 'Hello' })),
  ),
  mutant(
    'llm.get_models.result',
    broken(GoodLlm, 'getModels', () => () => [{ name: 'Echo' }]),
  ),
  mutant('llm.get_models.arguments', lax(GoodLlm, 'get_models', 'INVALID_PARAMS')),
  mutant(
    'llm.get_models.unique',
    broken(GoodLlm, 'getModels', () => () => [{ id: 'a' }, { id: 'a' }]),
  ),
  ...(['streamComplete', 'streamChat'] as const).flatMap((method) => [
    ...each('llm', GoodLlm, method, streams),
    mutant(
      `llm.${wireOf(method)}.pieces`,
      broken(
        GoodLlm,
        method,
        changing((piece) => ({ ...piece, finishReason: 42 })),
      ),
    ),
    mutant(`llm.${wireOf(method)}.joined`, broken(GoodLlm, method, withoutLast)),
  ]),
]

/** What `embed` must not answer to two texts. */
const wrongEmbeddings: Record<string, unknown> = {
  fewer: [[1, 2]],
  none: [],
  'of several lengths': [[1, 2], [1]],
  'without numbers': [[], []],
  text: ['1 2', '1 2'],
  'not a number': [
    [1, Number.NaN],
    [1, 2],
  ],
}

const embedding: Mutant[] = [
  ...each('embedding', GoodEmbedder, 'embed', calls),
  mutant(
    'embedding.embed.errors',
    broken(
      GoodEmbedder,
      'embed',
      (whole) =>
        async function (texts, ...rest) {
          if ((texts as string[]).includes('')) throw new Error('division by zero')
          return whole.apply(this, [texts, ...rest])
        },
    ),
    'an empty text',
  ),
  ...Object.entries(wrongEmbeddings).map(([how, answer]) =>
    mutant(
      'embedding.embed.result',
      broken(GoodEmbedder, 'embed', () => () => answer),
      how,
    ),
  ),
  mutant(
    'embedding.embed.order',
    broken(
      GoodEmbedder,
      'embed',
      (whole) =>
        async function (...args) {
          return ((await whole.apply(this, args)) as unknown[]).reverse()
        },
    ),
  ),
  mutant(
    'embedding.embed.dimensions',
    broken(
      GoodEmbedder,
      'embed',
      (whole) =>
        async function (texts, options) {
          if ((options as { dimensions?: number }).dimensions) throw new Error('no such size')
          return whole.apply(this, [texts, options])
        },
    ),
  ),
  mutant(
    'embedding.get_models.result',
    broken(GoodEmbedder, 'getModels', () => () => [{ name: 'Letters' }]),
  ),
  mutant('embedding.get_models.arguments', lax(GoodEmbedder, 'get_models', 'INVALID_PARAMS')),
  mutant(
    'embedding.get_models.unique',
    broken(GoodEmbedder, 'getModels', () => () => [{ id: 'a' }, { id: 'a' }]),
  ),
]

const Forgetful = defineContract({
  ...OwnContract.definition,
  methods: {
    ...OwnContract.definition.methods,
    watch: {
      ...OwnContract.definition.methods.watch,
      aggregate: (pieces: { change: string }[]) => pieces.slice(1),
    },
  },
})

const own: Mutant[] = [
  ...each('counting', GoodOwn, 'count', calls),
  ...each('counting', GoodOwn, 'watch', streams),
  mutant(
    'counting.watch.pieces',
    broken(
      GoodOwn,
      'watch',
      changing(() => ({ change: 42 })),
    ),
  ),
  mutant(
    'counting.watch.joined',
    class extends Forgetful {
      override initialize() {}
      override shutdown() {}
      override healthCheck() {
        return { status: this.status }
      }
      count = GoodOwn.prototype.count
      watch = GoodOwn.prototype.watch
    },
  ),
]

/** Mutants that block the event loop, and all checks that must fail for it: health is asked during one method only. */
export const blockers: { fails: string[]; target: CheckTarget }[] = [
  {
    fails: ['tts.synthesize.cancel', 'health.during_calls'],
    target: broken(GoodTts, 'synthesize', blocking.call),
  },
  { fails: ['llm.stream_chat.cancel'], target: broken(GoodLlm, 'streamChat', blocking.stream) },
]

export const mutants: Mutant[] = [...life, ...tts, ...stt, ...llm, ...embedding, ...own]
