// An application in TypeScript, for declarations.test.ts and scripts/check-packages.mjs: it is compiled, and never run.
import { type PluginHandle, PluginHost, type PluginSystem } from '@appfactory/host'
import { serveTester } from '@appfactory/host/tester'
import { pluginTarget } from '@appfactory/host/testing'
import { defineContract, isPluginError, type LLMContract, STTContract, TTSContract } from '@appfactory/sdk'
import { shippedContracts } from '@appfactory/sdk/contracts'
import { manifestSchema } from '@appfactory/sdk/manifest'
import { runChecks } from '@appfactory/sdk/testing'
import { z } from 'zod'

const Counting = defineContract({
  name: 'counting',
  version: '1.0.0',
  methods: {
    /** Counts characters. */
    count: { args: z.object({ text: z.string() }), result: z.object({ characters: z.number() }) },
  },
})

await using host = new PluginHost({ pluginsDir: './plugins', callTimeoutMs: 1000 })
host.on('crash', ({ plugin, stderr }) => console.log(plugin.length, stderr.length))
const system: PluginSystem = host
system.on('log', ({ level }) => console.log(level)).off('log', () => {})
host.once('swap', (event) => console.log(event.step))
const tts = await host.load(TTSContract, 'one')
const { audio, durationMs = 0 } = await tts.synthesize('Hello', 'slt', {
  speed: 0.9,
  signal: AbortSignal.timeout(5),
})
const first: number | undefined = audio.slice(0, 4)[0]
for await (const piece of tts.synthesizeStream('Hello')) console.log(piece.text, first, durationMs)
await tts.getVoices()
await tts.unload()
const stt: PluginHandle<STTContract> = await system.get(STTContract, 'two')
await stt.transcribe(audio, 'en-US')
const llm = await host.load<LLMContract>('three', { config: {} })
const { message, usage } = await llm.chat([{ role: 'user', content: 'Hello' }], { maxTokens: 5 })
const counting = await host.load(Counting, 'four')
const { characters } = await counting.count({ text: 'x' }, { timeoutMs: 5 })
console.log(message.content, usage?.totalTokens, characters.toFixed(), shippedContracts.length)
console.log(serveTester, pluginTarget, manifestSchema, runChecks, isPluginError(new Error(), 'CALL_TIMEOUT'))
