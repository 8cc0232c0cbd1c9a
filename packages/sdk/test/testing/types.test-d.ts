// Checked by tsc alone: `tsc -p packages/sdk/test`.
import type { HealthStatus, SynthesisResult, Voice } from '@appfactory/sdk'
import {
  type Check,
  type CheckReport,
  type CheckTarget,
  classTarget,
  contractChecks,
  runChecks,
} from '@appfactory/sdk/testing'
import { checkContract, pluginTest, type RecordedCall } from '@appfactory/sdk/testing/vitest'
import { expect, expectTypeOf } from 'vitest'
import { GoodOwn, GoodTts, OwnContract } from './good-plugins.js'

expectTypeOf(contractChecks('tts')).toEqualTypeOf<Promise<Check[]>>()
expectTypeOf(contractChecks(OwnContract)).toEqualTypeOf<Promise<Check[]>>()
expectTypeOf(classTarget(GoodTts)).toEqualTypeOf<CheckTarget>()
expectTypeOf(runChecks({ target: classTarget(GoodTts) })).toEqualTypeOf<Promise<CheckReport>>()
// @ts-expect-error Not a plugin's class.
classTarget(Date)
// @ts-expect-error A run needs a target.
runChecks({})

const test = pluginTest({ plugin: GoodTts, config: { voice: 'low' } })

test('fixtures', async ({ plugin, host, health, calls, audio }) => {
  expectTypeOf(plugin).toEqualTypeOf<GoodTts>()
  expectTypeOf(await host.synthesize('Hello')).toEqualTypeOf<SynthesisResult>()
  expectTypeOf(await host.getVoices()).toEqualTypeOf<Voice[]>()
  // @ts-expect-error Text is text.
  host.synthesize(42)
  expectTypeOf(await health()).toEqualTypeOf<HealthStatus>()
  expectTypeOf(calls).toEqualTypeOf<readonly RecordedCall[]>()
  expectTypeOf(audio.wav).toEqualTypeOf<Uint8Array>()
  expectTypeOf(audio.chunks()).toExtend<AsyncIterable<Uint8Array>>()
})

pluginTest({ plugin: GoodOwn })('a contract of one’s own', async ({ plugin, host }) => {
  expectTypeOf(plugin).toEqualTypeOf<GoodOwn>()
  expectTypeOf(await host.count({ text: 'x' })).toEqualTypeOf<{ characters: number }>()
})

expect(new Uint8Array()).toBeWav({ sampleRate: 16_000, channels: 1, durationMs: 100 })
// @ts-expect-error There is no such figure.
expect(new Uint8Array()).toBeWav({ sampleRat: 16_000 })
expect(new Uint8Array()).not.toBePlayable()
expect(new Uint8Array()).toBeSilent({ peak: 10 })

checkContract(GoodTts, { config: {}, samples: { synthesize: { text: 'Hello' } }, only: ['tts.*'] })
// @ts-expect-error Not a plugin's class.
checkContract(Date)
