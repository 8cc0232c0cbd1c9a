import { isPluginError, type PluginError } from '../../errors.js'
import { PluginStatus } from '../../health.js'
import { type Check, CheckFailure, must } from '../check.js'
import { callSomething, errorText, unexpected } from './calls.js'

/** Errors of a start that failed before `initialize()` was reached. */
const loadErrors: ReadonlySet<string | undefined> = new Set([
  'PLUGIN_NOT_FOUND',
  'PLUGIN_LOAD_FAILED',
  'CONTRACT_MISMATCH',
  'CONTRACT_NOT_FOUND',
  'DEPENDENCY_MISSING',
  'MANIFEST_INVALID',
  'MANIFEST_MISSING',
  'PROTOCOL_VERSION_UNSUPPORTED',
])

const operational: readonly string[] = [PluginStatus.READY, PluginStatus.BUSY]
const ended: readonly string[] = [PluginStatus.STOPPED, PluginStatus.UNLOADED]

export const firstChecks: readonly Check[] = [
  {
    id: 'lifecycle.load',
    title: 'The plugin loads and has all methods that its contract requires',
    run: async (context) => {
      try {
        const { contract } = await context.plugin()
        must(
          contract.name === context.contract.name,
          `it is of contract "${contract.name}", not "${context.contract.name}"`,
        )
      } catch (error) {
        if (!isPluginError(error) || isLoadError(error)) throw unexpected('loading', error)
      }
    },
  },
  {
    id: 'lifecycle.initialize',
    title: 'initialize() takes the configuration',
    after: ['lifecycle.load'],
    run: async (context) => {
      await context.plugin().catch((error: unknown) => {
        throw unexpected('initialize()', error)
      })
    },
  },
  {
    id: 'status.ready',
    title: 'The status is READY once it is initialized',
    after: ['lifecycle.initialize'],
    run: async (context) => {
      const status = await (await context.plugin()).status()
      must(operational.includes(status), `the status is ${status}; does the class override \`status\`?`)
    },
  },
  {
    id: 'health.shape',
    title: 'healthCheck() answers with a status, a message and details that are JSON',
    after: ['lifecycle.initialize'],
    run: async (context) => {
      const plugin = await context.plugin()
      const { status, message, details } = await plugin.health().catch((error: unknown) => {
        throw unexpected('healthCheck()', error)
      })
      must(status in PluginStatus, `status is ${String(status)}`)
      must(message === undefined || typeof message === 'string', 'message is not a string')
      mustBeJsonObject(details)
    },
  },
  {
    id: 'health.ready',
    title: 'healthCheck() says that the plugin is ready',
    after: ['health.shape'],
    run: async (context) => {
      const { status, message = '' } = await (await context.plugin()).health()
      must(operational.includes(status), `right after initialize() it says ${status} ${message}`.trim())
    },
  },
  {
    id: 'errors.unknown_method',
    title: 'An unknown method gives METHOD_NOT_FOUND',
    after: ['lifecycle.initialize'],
    run: async (context) => {
      const plugin = await context.plugin()
      const error = await plugin.call('no_such_method', {}, { timeoutMs: context.timeoutMs }).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      must(error !== undefined, 'a method that is not there gave an answer')
      must(
        isPluginError(error) && error.codeName === 'METHOD_NOT_FOUND',
        `the error is ${errorText(error)}, not METHOD_NOT_FOUND`,
      )
    },
  },
]

/** Ends what the others have begun. */
export const lastChecks: readonly Check[] = [
  {
    id: 'lifecycle.shutdown_unused',
    title: 'shutdown() ends an instance that was never called',
    after: ['lifecycle.initialize'],
    run: async (context) => {
      const unused = await context.another()
      await stopped(unused.stop(), context.timeoutMs)
    },
  },
  {
    id: 'status.stopped',
    title: 'The status is STOPPED after shutdown()',
    after: ['status.ready'],
    run: async (context) => {
      const plugin = await context.another()
      // lifecycle.shutdown reports a failure.
      await stopped(plugin.stop(), context.timeoutMs).catch(() => {})
      const status = await plugin.status()
      must(
        ended.includes(status) || status === PluginStatus.ERROR,
        `the status is ${status}; does the class override \`status\`?`,
      )
    },
  },
  {
    id: 'lifecycle.shutdown',
    title: 'shutdown() ends an instance that has been called',
    after: ['lifecycle.initialize'],
    run: async (context) => {
      await callSomething(context)
      await stopped(context.stop(), context.timeoutMs)
    },
  },
  {
    id: 'lifecycle.restart',
    title: 'After a shutdown() another instance starts and is ready',
    after: ['lifecycle.shutdown', 'health.ready'],
    run: async (context) => {
      await callSomething(context)
      await context.stop()
      const again = await context.plugin().catch((error: unknown) => {
        throw unexpected('the second start', error)
      })
      const { status, message = '' } = await again.health()
      must(operational.includes(status), `the second instance says ${status} ${message}`.trim())
    },
  },
]

function isLoadError({ codeName }: PluginError): boolean {
  return loadErrors.has(codeName)
}

function mustBeJsonObject(details: unknown): void {
  if (details === undefined) return
  const isObject = typeof details === 'object' && details !== null && !Array.isArray(details)
  must(isObject, 'details is not an object')
  try {
    JSON.stringify(details)
  } catch (error) {
    throw new CheckFailure(`details is not JSON: ${errorText(error)}`)
  }
}

async function stopped(stopping: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new CheckFailure(`shutdown() did not finish in ${timeoutMs} ms`)),
      timeoutMs,
    )
  })
  try {
    await Promise.race([stopping, late])
  } catch (error) {
    throw unexpected('shutdown()', error)
  } finally {
    clearTimeout(timer)
  }
}
