import { setTimeout as delay } from 'node:timers/promises'
import { decodeWav, defineContract, type PluginBase, PluginError, toMono16 } from '@appfactory/sdk'
import {
  type CheckReport,
  classTarget,
  contractChecks,
  runChecks,
  sampleAudio,
} from '@appfactory/sdk/testing'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { GoodLlm, GoodOwn, GoodStt, GoodTts, OwnContract } from './good-plugins.js'

function failuresOf({ results }: CheckReport): string[] {
  return results.filter(({ status }) => status === 'failed').map(({ id }) => id)
}

describe('a report', () => {
  test('has each check once, in order, and the reason of each that was skipped', async () => {
    const told: string[] = []
    const report = await runChecks({
      target: classTarget(GoodStt, { manifest: { name: 'listener' } }),
      onResult: ({ id }) => told.push(id),
    })
    expect(report).toMatchObject({ plugin: 'listener', contract: 'stt', failed: 0, skipped: 1, blocked: 0 })
    expect(told).toEqual((await contractChecks('stt')).map(({ id }) => id))
    expect(report.results.map(({ id }) => id)).toEqual(told)
    expect(report.results.find(({ status }) => status === 'skipped')).toMatchObject({
      id: 'state.round_trip',
      reason: 'state is not among the plugin’s capabilities',
    })
  })

  test('blames the check that failed, not those that build on it', async () => {
    class Broken extends GoodTts {
      override initialize(): boolean {
        return false
      }
    }
    const { results, ...counts } = await runChecks({ target: classTarget(Broken) })
    expect(counts).toMatchObject({ passed: 1, failed: 1, skipped: 0 })
    expect(results.filter(({ status }) => status === 'blocked').length).toBe(counts.blocked)
    expect(results.find(({ id }) => id === 'status.ready')).toMatchObject({
      status: 'blocked',
      reason: 'lifecycle.initialize has not passed',
    })
  })

  test('goes on with a new instance after a failure', async () => {
    class Fragile extends GoodTts {
      #isBroken = false
      override async synthesize(text: string, voiceId?: string): Promise<Uint8Array> {
        if (this.#isBroken) throw new Error('still broken')
        this.#isBroken = voiceId === 'no-such-voice'
        if (this.#isBroken) throw new Error('broken')
        return (await this.speak(text, 'low', {})).audio
      }
    }
    const { results } = await runChecks({ target: classTarget(Fragile), only: ['tts.synthesize.*'] })
    const failed = results.filter(({ status }) => status === 'failed').map(({ id }) => id)
    expect(failed).toEqual(['tts.synthesize.voice'])
  })

  test('ends early where it is told to', async () => {
    const controller = new AbortController()
    const { results } = await runChecks({
      target: classTarget(GoodTts),
      signal: controller.signal,
      onResult: () => controller.abort(),
    })
    expect(results.map(({ id }) => id)).toEqual(['lifecycle.load'])
  })
})

describe('only', () => {
  test('takes ids and *', async () => {
    const only = ['tts.get_*.result', 'health.shape']
    const { results } = await runChecks({ target: classTarget(GoodTts), only })
    expect(results.map(({ id }) => id)).toEqual([
      'health.shape',
      'tts.get_voices.result',
      'tts.get_voice_info.result',
    ])
  })

  test('refuses what means no check', async () => {
    const run = runChecks({ target: classTarget(GoodTts), only: ['tts.synthesise.result'] })
    await expect(run).rejects.toThrow(/did you mean tts\.synthesize\.result/)
  })
})

describe('samples', () => {
  const asked: string[] = []
  class Curious extends GoodOwn {
    override async count(args: { text: string; times: number }) {
      asked.push(args.text)
      return { characters: args.text.length * args.times }
    }
  }
  const run = (samples: object) =>
    runChecks({
      target: classTarget(Curious),
      only: ['counting.count.result'],
      samples: samples as Record<string, Record<string, unknown>>,
    })

  test('are those of the author, or made from the schema', async () => {
    await run({ count: [{ text: 'mine' }, { text: 'other' }] })
    await run({})
    expect(asked).toEqual(['mine', 'sample'])
  })

  test('may be bytes, in the names of TypeScript or of the wire', async () => {
    const heard: number[] = []
    class Listener extends GoodStt {
      override async transcribe(audio: Uint8Array): Promise<string> {
        heard.push(audio.length)
        return ''
      }
    }
    const target = classTarget(Listener)
    const only = ['stt.transcribe.result']
    await runChecks({
      target,
      only,
      samples: { transcribe: { audio: new Uint8Array(7), wordTimestamps: true } },
    })
    await runChecks({ target, only, samples: { transcribe: { audio_b64: 'AAAA', word_timestamps: true } } })
    expect(heard).toEqual([7, 3])
  })

  test('that do not fit are refused', async () => {
    await expect(run({ cuont: {} })).rejects.toThrow(/no method cuont; it has count, watch/)
    await expect(run({ count: { text: 1 } })).rejects.toThrow(/count: text: must be a string/)
  })

  test('of which one is given lead to others, so that mixed up calls show', async () => {
    class Mixing extends GoodOwn {
      #last = ''
      override async count({ text, times }: { text: string; times: number }) {
        this.#last = text
        await delay(5)
        return { characters: this.#last.length * times }
      }
    }
    const report = await runChecks({
      target: classTarget(Mixing),
      only: ['counting.count.*'],
      samples: { count: { text: 'Hello' } },
    })
    expect(failuresOf(report)).toEqual(['counting.count.concurrent'])
  })

  test('of which one is given, an array of texts, lead to others too', async () => {
    const texts = z.strictObject({ texts: z.array(z.string()).min(1) })
    const Measuring = defineContract({
      name: 'measuring',
      version: '1.0.0',
      methods: { embed: { args: texts, result: z.object({ lengths: z.array(z.number()) }) } },
    })
    class Mixing extends Measuring {
      #last: string[] = []
      override initialize() {}
      override shutdown() {}
      override healthCheck() {
        return { status: this.status }
      }
      async embed(args: { texts: string[] }) {
        this.#last = args.texts
        await delay(5)
        return { lengths: this.#last.map((text) => text.length) }
      }
    }
    const report = await runChecks({
      target: classTarget(Mixing),
      only: ['measuring.embed.*'],
      samples: { embed: { texts: ['Hello'] } },
    })
    expect(failuresOf(report)).toEqual(['measuring.embed.concurrent'])
  })

  test('of which one is given are all that a picky plugin takes; what that hides is told', async () => {
    class Picky extends GoodOwn {
      override async count({ text }: { text: string }): Promise<{ characters: number }> {
        if (text !== 'open sesame') throw new PluginError('INVALID_PARAMS', 'no')
        return { characters: 1 }
      }
    }
    const report = await runChecks({
      target: classTarget(Picky),
      only: ['counting.count.*'],
      samples: { count: { text: 'open sesame' } },
    })
    expect(report.results.map(({ id, status, note = '' }) => [id, status, note.split(':')[0]])).toEqual([
      ['counting.count.result', 'passed', ''],
      ['counting.count.arguments', 'passed', ''],
      ['counting.count.errors', 'passed', ''],
      ['counting.count.concurrent', 'passed', 'not compared'],
      ['counting.count.cancel', 'passed', 'not cancelled'],
    ])
  })

  test('of recordings lead to a shorter and a longer one', async () => {
    const heard = new Set<number>()
    class Listener extends GoodStt {
      override async transcribe(audio: Uint8Array): Promise<string> {
        heard.add(audio.length)
        if (audio.length !== 44 + 12_000 && audio.length !== 44 + 6000 && audio.length < 100_000)
          throw new PluginError('STT_AUDIO_INVALID', 'too short')
        return `${audio.length}`
      }
    }
    const report = await runChecks({
      target: classTarget(Listener),
      only: ['stt.transcribe.concurrent', 'stt.transcribe.cancel'],
      samples: { transcribe: { audio: sampleAudio({ durationMs: 375 }) } },
    })
    expect(failuresOf(report)).toEqual([])
    expect([...heard]).toEqual([44 + 12_000, 44 + 16_000, 44 + 6000, 44 + 320_000])
    expect(report.results[0]?.note).toBeUndefined()
  })

  test('that can’t be guessed are asked for', async () => {
    class Picky extends GoodOwn {
      override async count({ text }: { text: string }): Promise<{ characters: number }> {
        if (text !== 'open sesame') throw new Error('no')
        return { characters: 1 }
      }
    }
    const { results } = await runChecks({ target: classTarget(Picky), only: ['counting.count.result'] })
    expect(results[0]?.reason).toMatch(/samples: \{ count: /)
  })
})

describe('what could not be compared is told', () => {
  test.each<[string, string, new () => PluginBase<never>]>([
    [
      'counting.count.concurrent',
      'answers differ from call to call',
      class extends GoodOwn {
        #calls = 0
        override async count() {
          return { characters: ++this.#calls }
        }
      },
    ],
    [
      'counting.watch.joined',
      'streams differ from call to call',
      class extends GoodOwn {
        #calls = 0
        override async *watch() {
          yield { change: String(++this.#calls) }
        }
      },
    ],
    [
      'tts.synthesize.figures',
      'audio without a header',
      class extends GoodTts {
        override async synthesize() {
          return { audio: new Uint8Array(99), format: 'opus', sampleRate: 8000, channels: 1 }
        }
      },
    ],
    [
      'tts.synthesize.voice',
      'a plugin that takes any voice',
      class extends GoodTts {
        override async synthesize(text: string) {
          return this.speak(text, 'low', {})
        }
      },
    ],
    ['stt.transcribe.language', 'a plugin that takes any language', class extends GoodStt {}],
    [
      'stt.sessions.interleaved',
      'sessions that hear something else each time',
      class extends GoodStt {
        #ended = 0
        override async endStream(sessionId: string) {
          return `${await super.endStream(sessionId)} ${++this.#ended}`
        }
      },
    ],
    [
      'llm.stream_chat.joined',
      'a model that never says the same thing twice',
      class extends GoodLlm {
        #calls = 0
        override async chat() {
          return { role: 'assistant' as const, content: String(++this.#calls) }
        }
      },
    ],
  ])('%s: %s', async (id, _, plugin) => {
    const { results } = await runChecks({ target: classTarget(plugin), only: [id] })
    expect(results).toMatchObject([
      { id, status: 'passed', note: expect.stringMatching(/^not (compared|refused): /) },
    ])
  })

  test('and only that: plugins of which all is compared have no notes', async () => {
    const { results } = await runChecks({ target: classTarget(GoodTts) })
    // On a busy machine the call may be done before the timer says to cancel it.
    const notes = results.flatMap(({ note }) => (note === undefined ? [] : [note]))
    expect(notes.filter((note) => !note.startsWith('not cancelled'))).toEqual([])
  })
})

test('raw samples must last as long as they say', async () => {
  class Raw extends GoodTts {
    override async synthesize() {
      const audio = new Uint8Array(16_000)
      return { audio, format: 'pcm_s16le', sampleRate: 8000, channels: 1, durationMs: 500 }
    }
  }
  const only = ['tts.synthesize.figures']
  expect(failuresOf(await runChecks({ target: classTarget(Raw), only }))).toEqual(only)
})

test('state is that of an instance that was called, whichever checks are run', async () => {
  class Forgetful extends GoodTts {
    override async restoreState() {}
  }
  const only = ['state.round_trip']
  expect(failuresOf(await runChecks({ target: classTarget(Forgetful), only }))).toEqual(only)
})

describe('a manifest', () => {
  const statusOf = async (capabilities: string[] | Record<string, unknown>) => {
    const target = classTarget(GoodStt, { manifest: { capabilities } })
    const { results } = await runChecks({ target, only: ['manifest.capabilities'] })
    return results.map(({ status }) => status)
  }

  test('may name what the plugin implements, and words that are its author’s own', async () => {
    expect(await statusOf(['streaming', 'sessions', 'feed_audio', 'transcribeStream'])).toEqual(['passed'])
    expect(await statusOf(['partial_results', 'constructor'])).toEqual(['passed'])
    expect(await statusOf({ streaming: true, state: false, languages: ['en'] })).toEqual(['passed'])
  })

  test.each([[['state']], [['streaming', 'hot_swap_state']], [{ state: true }]])(
    'must not promise what the plugin does not: %o',
    async (capabilities) => {
      expect(await statusOf(capabilities)).toEqual(['failed'])
    },
  )
})

test('the configuration is checked and filled in as in a host', async () => {
  const got: unknown[] = []
  class Configured extends GoodTts {
    static readonly configSchema = {
      safeParse: (value: unknown) => ({ success: true, data: { ...(value as object), voice: 'low' } }),
    }
    override initialize(config: unknown): void {
      got.push(config)
    }
  }
  await runChecks({ target: classTarget(Configured), only: ['status.ready'], config: { speed: 2 } })
  expect(got).toEqual([{ speed: 2, voice: 'low' }])
})

test('what is no contract is refused', async () => {
  await expect(contractChecks('vad')).rejects.toThrow(/tts, stt, llm/)
  await expect(contractChecks(OwnContract as never)).resolves.toHaveLength(26)
  expect(() => classTarget(class {} as never)).toThrow(TypeError)
})

test('sample audio is a quiet WAV file, the same every time', () => {
  const wav = decodeWav(sampleAudio({ durationMs: 250, sampleRate: 8000 }))
  if (!wav) throw new Error('not a WAV file')
  const samples = toMono16(wav)
  expect([wav.sampleRate, samples.length]).toEqual([8000, 2000])
  expect(Math.max(...samples)).toBeGreaterThan(5)
  expect(Math.max(...samples)).toBeLessThan(50)
  expect(sampleAudio()).toEqual(sampleAudio({ durationMs: 1000, sampleRate: 16_000 }))
})
