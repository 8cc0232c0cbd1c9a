import { start as node, startPython } from '../contenders/appfactory.mjs'
import { start as asyncio } from '../contenders/asyncio.mjs'
import { callsPerSecond, elapsedMs, medianLatency } from '../measure.mjs'
import { python } from '../python.mjs'
import { stopAll, withContenders } from '../rounds.mjs'
import { whole } from './audio.mjs'
import { measured, ownMb } from './memory.mjs'
import { medianStart } from './start.mjs'

const contenders = { 'Node plugin': node, 'Python plugin': startPython }
const common = { group: 'python', base: 'Node plugin' }

/** Python plugins beside plugins in Node that do the same, in the same host. None where there is no Python. */
export const pythonScenarios =
  python === undefined ? [] : [calls(), latency(), audio(), start(), memory(), stuck()]

function calls() {
  return {
    ...common,
    name: 'python-calls',
    title: 'Python: calls, 64 in flight',
    unit: 'calls/s',
    targets: [{ of: 'Python plugin', against: 'Node plugin', atLeast: 0.4 }],
    open: withContenders(contenders, ({ call }) => callsPerSecond(call, 64)),
  }
}

function latency() {
  return {
    ...common,
    name: 'python-latency',
    title: 'Python: one call at a time, p50',
    unit: 'µs',
    targets: [{ of: 'Python plugin', against: 'Node plugin', atMost: 2.5 }],
    open: withContenders(contenders, ({ call }) => medianLatency(call)),
  }
}

function audio() {
  return {
    ...common,
    name: 'python-audio',
    title: 'Python: 1 MiB replies, 4 in flight',
    unit: 'replies/s',
    targets: [{ of: 'Python plugin', against: 'Node plugin', atLeast: 0.9 }],
    open: withContenders(contenders, ({ bytes }) => callsPerSecond(() => whole(bytes), 4)),
  }
}

/** As `start`: of the plugins, to READY. */
function start() {
  return {
    ...common,
    name: 'python-start',
    title: 'Python: spawn to ready',
    unit: 'ms',
    base: 'asyncio echo',
    targets: [{ of: 'Python plugin', against: 'asyncio echo', atMost: 1.5 }],
    open: async () => {
      const own = await startPython()
      await own.host.unload('echo_llm_py')
      const load = (name) => async () => {
        await own.host.load(name)
        return { stop: () => own.host.unload(name) }
      }
      return {
        measures: {
          'asyncio echo': () => medianStart(asyncio),
          'Python plugin': () => medianStart(load('echo_llm_py')),
          'Node plugin': () => medianStart(load('echo_llm')),
        },
        close: () => stopAll({ own }),
      }
    },
  }
}

function memory() {
  return {
    ...common,
    name: 'python-memory',
    title: 'Python: memory of a process (RSS)',
    unit: 'MB',
    targets: [{ of: 'Python plugin', against: 'Node plugin', atMost: 0.45 }],
    open: async () => ({
      measures: {
        'Node plugin': () => measured(node, ownMb),
        'Python plugin': () => measured(startPython, ownMb),
      },
      close: async () => {},
    }),
  }
}

/** From `unload()` until the process has ended, with a thread that never ends. */
function stuck() {
  return {
    ...common,
    base: undefined,
    name: 'python-stuck',
    title: 'Python: unload with a stuck thread',
    unit: 'ms',
    targets: [{ of: 'Python plugin', atMost: 1000 }],
    open: async () => ({
      measures: {
        'Python plugin': async () => {
          const { host, call, stop } = await startPython()
          await call('stuck')
          const took = await elapsedMs(() => host.unload('echo_llm_py'))
          await stop()
          return took
        },
      },
      close: async () => {},
    }),
  }
}
