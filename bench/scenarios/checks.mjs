import { MethodCodecs } from '@appfactory/sdk/internal'
import { start as project } from '../contenders/appfactory.mjs'
import { elapsedMs } from '../measure.mjs'

const callCount = 100_000
const args = { prompt: 'hello', maxTokens: 64, temperature: 0.5, stopSequences: ['\n'] }

/** What it costs that arguments and results are checked, beside what it costs that they are JSON. */
export const checks = {
  name: 'checks',
  title: 'checks of one call, both ends',
  unit: 'µs/call',
  base: 'JSON, both ways',
  targets: [],
  open: async () => {
    const { host, llm, stop } = await project()
    const { contract } = await host.describe('echo_llm')
    const result = await llm.complete('hello')
    await stop()
    const codecs = new MethodCodecs(contract.methods.find(({ wire }) => wire === 'complete'))
    const wireArgs = valid(codecs.encodeArgs(args))
    const wireResult = valid(codecs.encodeResult(result))
    const costs = (work) => async () => ((await elapsedMs(() => repeat(work))) / callCount) * 1000
    return {
      measures: {
        'JSON, both ways': costs(() => {
          JSON.parse(
            JSON.stringify({ jsonrpc: '2.0', id: 1, params: { method: 'complete', args: wireArgs } }),
          )
          JSON.parse(JSON.stringify({ jsonrpc: '2.0', id: 1, result: wireResult }))
        }),
        'arguments (caller)': costs(() => codecs.encodeArgs(args)),
        'arguments (plugin)': costs(() => codecs.decodeArgs(wireArgs)),
        'result (plugin)': costs(() => codecs.encodeResult(result)),
        'result (caller)': costs(() => codecs.decodeResult(wireResult)),
      },
      close: async () => {},
    }
  },
}

function valid({ value, issues }) {
  if (issues.length > 0) throw new Error(`The codec is not as expected: ${JSON.stringify(issues)}`)
  return value
}

function repeat(work) {
  for (let count = 0; count < callCount; count++) work()
}
