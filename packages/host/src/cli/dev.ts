import { fstatSync, readdirSync, statSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { PassThrough, type Readable } from 'node:stream'
import { isNativeError } from 'node:util/types'
import { isPluginError } from '@appfactory/sdk'
import { closest, quoted } from '@appfactory/sdk/internal'
import { type DebuggerPort, openDebuggerPort } from '../dev/debugger-port.js'
import { type PluginWatch, pluginsDirOf, watchPlugins } from '../dev/dev.js'
import type { DevelopmentEvent } from '../dev/events.js'
import { reasonOf } from '../errors.js'
import type { HostEvents, HostOptions } from '../host.js'
import type { Inspection } from '../process/launch.js'
import { wireMembers } from '../server/wire-form.js'
import { type CommonOptions, paint, type Streams, write } from './output.js'
import { createHost, serveClient } from './serve.js'
import { checkPort, startTester } from './tester.js'
import { UsageError } from './usage-error.js'

interface DevCommand extends Omit<CommonOptions, 'pluginsDir'> {
  dir: string
  pluginsDir: unknown
  syncMode: boolean
  tester: boolean
  port: number | undefined
  open: boolean
  inspect: boolean
  inspectBrk: boolean
  debugPython: boolean
  /** The plugins that `--inspect=NAME`, `--inspect-brk=NAME` or `--debug-python=NAME` names. */
  inspectPlugin: string[] | undefined
  inspectPort: number | undefined
}

/** `appfactory-host dev DIR`: serves plugins like `appfactory-host`, and swaps each for itself on every save. */
export async function dev(streams: Streams, options: DevCommand): Promise<number> {
  if (options.pluginsDir !== undefined)
    throw new UsageError('dev takes its folder as an argument, without --plugins-dir')
  const { tester: isTested, port = 0, open } = options
  if (!isTested && (open || options.port !== undefined))
    throw new UsageError('--port and --open need --tester')
  checkPort(port)
  const dir = resolve(options.dir)
  if (!isFolder(dir)) throw new UsageError(`${dir} is not a folder`)
  const inspect = inspectOf(options, dir)
  await using debuggerPort =
    options.inspectPort === undefined ? undefined : await openDebuggerPort(options.inspectPort)
  const host = createHost(options, { pluginsDir: pluginsDirOf(dir), preferSource: true, inspect })
  const report = options.json ? reportJson(streams) : reportLines(streams, dir)
  host.on('log', inspect ? withDebugger(report, debuggerPort) : report.log)
  host.on('crash', report.crash)
  let watching: PluginWatch | undefined
  let tester: Awaited<ReturnType<typeof startTester>> | undefined
  try {
    return await serveClient(streams, host, {
      input: endless(process.stdin),
      sequential: options.syncMode,
      begin: async () => {
        watching = await watchPlugins(host, { dir, configDir: options.configDir, onEvent: report.event })
        report.watching()
        if (!isTested) return
        tester = await startTester(streams, host, { port, open, configDir: options.configDir })
        report.tester(tester.url)
      },
    })
  } finally {
    await watching?.close()
    await tester?.[Symbol.asyncDispose]()
  }
}

/** @throws UsageError where the options do not go together. */
function inspectOf(options: DevCommand, dir: string): NonNullable<HostOptions['inspect']> {
  const { inspectPlugin: names, inspectPort } = options
  const mode = modeOf(options)
  if (inspectPort !== undefined) checkInspectPort(options, dir)
  if (!names) return mode
  for (const name of names) checkPluginIn(pluginsDirOf(dir), name)
  return Object.fromEntries(names.map((name) => [name, mode]))
}

function modeOf({ inspect, inspectBrk, debugPython }: DevCommand): Inspection {
  if (inspectBrk) return 'break'
  return inspect || (debugPython && 'python')
}

/** @throws UsageError where the folder has no plugin of that name. */
function checkPluginIn(dir: string, name: string): void {
  const names = readdirSync(dir)
  if (names.includes(name)) return
  const meant = closest(name, names)
  throw new UsageError(
    `there is no plugin ${quoted(name)} in ${dir}${meant === undefined ? '' : `. Did you mean ${meant}?`}`,
  )
}

function checkInspectPort(
  { inspect, inspectBrk, debugPython, inspectPlugin, inspectPort = 0 }: DevCommand,
  dir: string,
): void {
  checkPort(inspectPort, '--inspect-port')
  if (!inspect && !inspectBrk && !debugPython)
    throw new UsageError('--inspect-port needs --inspect, --inspect-brk or --debug-python')
  if (pluginsDirOf(dir) === dir && inspectPlugin?.length !== 1)
    throw new UsageError('--inspect-port is for one plugin: name it, as in --inspect=my_tts')
}

/** What Node writes to stderr about its debugger, besides the address. */
const debuggerChatter = /^(For help, see: |Debugger attached\.|Debugger ending on |Waiting for the debugger)/

/** Shows where a plugin's debugger is in place of what Node and debugpy say about it. */
function withDebugger(report: Report, port: DebuggerPort | undefined): Report['log'] {
  return (entry) => {
    const [, url, own] =
      /^Debugger listening on ((?:ws:\/\/)?127\.0\.0\.1:(\d+)(?:\/\S+)?)$/.exec(entry.message) ?? []
    if (url === undefined) {
      if (!debuggerChatter.test(entry.message)) report.log(entry)
      return
    }
    port?.leadTo(Number(own))
    report.debugger(entry.plugin, url, port?.port)
  }
}

function isFolder(dir: string): boolean {
  return statSync(dir, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** End-of-file ends the command on a pipe or a file, but not on a terminal or /dev/null. */
function endless(input: Readable): Readable {
  return fstatSync(0).isCharacterDevice() ? input.pipe(new PassThrough(), { end: false }) : input
}

interface Report {
  watching(): void
  tester(url: string): void
  /** @param port Leads to it too, and stays. */
  debugger(plugin: string, url: string, port: number | undefined): void
  event(event: DevelopmentEvent): void
  log(entry: HostEvents['log'][0]): void
  crash(crash: HostEvents['crash'][0]): void
}

/** One JSON object a line. */
function reportJson({ error: stderr }: Streams): Report {
  const write = (type: string, details: object): void => {
    const members = Object.entries(wireMembers(details)).map(([key, value]) => [key, plain(value)])
    stderr.write(`${JSON.stringify({ type, ...Object.fromEntries(members) })}\n`)
  }
  return {
    watching: () => write('watching', {}),
    tester: (url) => write('tester', { url }),
    debugger: (plugin, url, port) => write('debugger', { plugin, url, port }),
    event: (event) => {
      if (event.type !== 'failed' || !event.repeated) write(event.type, event)
    },
    log: (entry) => write('log', entry),
    crash: (crash) => write('crash', crash),
  }
}

function plain(value: unknown): unknown {
  if (isPluginError(value)) return { code: value.code, name: value.codeName, message: value.message }
  return isNativeError(value) ? { message: value.message } : value
}

/** For people. */
function reportLines({ error: stderr }: Streams, dir: string): Report {
  const say = (text: string): void => write(stderr, `${text}\n`)
  const good = (text: string): string => paint(stderr, 'green', text)
  const bad = (text: string): string => paint(stderr, 'red', text)
  const attempts = new Attempts()
  return {
    tester: (url) => say(`Plugin Tester, for one browser: ${url}`),
    debugger: (plugin, url, port) =>
      say(`${plugin} debugger: ${port === undefined ? url : `127.0.0.1:${port}`}`),
    watching: () => say(`watching ${relative(process.cwd(), dir) || '.'}; JSON-RPC on stdin and stdout`),
    event: (event) => {
      if (event.type !== 'watch_failed') attempts.follow(event)
      const line = describe(event, good, bad)
      if (line !== undefined) say(line)
    },
    log: ({ plugin, level, message }) => {
      if (attempts.isRepeated(plugin, message)) return
      const mark = level === 'INFO' || level === 'DEBUG' ? '' : ` ${level}`
      say(message.replace(/^/gm, paint(stderr, 'dim', `${plugin} |${mark} `)))
    },
    crash: ({ message }) => say(bad(message)),
  }
}

function describe(
  event: DevelopmentEvent,
  good: (text: string) => string,
  bad: (text: string) => string,
): string | undefined {
  switch (event.type) {
    case 'changed':
      return undefined
    case 'loaded':
      return `${good(`${event.plugin} ready`)} in ${Math.round(event.durationMs)} ms`
    case 'reloaded': {
      const state = event.statePreserved ? ' (state kept)' : ''
      return `${good(`${event.plugin} reloaded`)} in ${Math.round(event.durationMs)} ms${state}`
    }
    case 'unloaded':
      return `${event.plugin} unloaded`
    case 'failed': {
      if (event.repeated) return undefined
      const what = event.serving ? 'not reloaded, the previous one keeps running' : 'not loaded'
      const place = event.place === undefined ? '' : `${relative(process.cwd(), event.place)}: `
      return `${bad(`${event.plugin} ${what}:`)} ${place}${messageOf(event.error)}`
    }
    case 'watch_failed':
      return bad(`changes can’t be watched: ${reasonOf(event.error)}`)
  }
}

function messageOf(error: unknown): string {
  const name = isPluginError(error) && error.codeName ? ` (${error.codeName})` : ''
  return `${reasonOf(error).replace(/\s+/g, ' ')}${name}`
}

/** Output of plugins in failed attempts: repeated output of the next attempt is not shown again. */
class Attempts {
  readonly #running = new Map<string, Set<string>>()
  readonly #failed = new Map<string, Set<string>>()

  isRepeated(plugin: string, message: string): boolean {
    this.#running.get(plugin)?.add(message)
    return this.#running.has(plugin) && (this.#failed.get(plugin)?.has(message) ?? false)
  }

  follow({ type, plugin }: Exclude<DevelopmentEvent, { type: 'watch_failed' }>): void {
    if (type === 'changed') return void this.#running.set(plugin, new Set())
    if (type === 'failed') this.#failed.set(plugin, this.#running.get(plugin) ?? new Set())
    else this.#failed.delete(plugin)
    this.#running.delete(plugin)
  }
}
