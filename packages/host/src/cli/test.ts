import { existsSync, statSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { describeThrown } from '@appfactory/sdk/internal'
import { type CheckReport, type CheckResult, runChecks, type Samples } from '@appfactory/sdk/testing'
import { reasonOf } from '../errors.js'
import { pluginTarget } from '../testing.js'
import { configurationOf, parseObject } from './call.js'
import { junitOf } from './junit.js'
import {
  type CommonOptions,
  exitCodes,
  isTerminal,
  paint,
  print,
  printJson,
  type Streams,
  write,
} from './output.js'
import { UsageError } from './usage-error.js'

interface TestCommand extends CommonOptions {
  dir: string
  config?: string[]
  samples?: string
  only?: string[]
  junit?: string
  timeout?: number
}

/** Maximum number of log lines that are shown for a failed check. */
const shownLogLines = 10

/** `appfactory-host test DIR`: runs the checks of the plugin's contract, with the plugin in its own process. */
export async function test(streams: Streams, options: TestCommand): Promise<number> {
  const dir = resolve(options.dir)
  if (!existsSync(dir) || !statSync(dir).isDirectory()) throw new UsageError(`${dir} is not a folder`)
  if (options.timeout !== undefined && !(options.timeout > 0))
    throw new UsageError('--timeout takes a number of ms above 0')
  const config = configurationOf(options.config)
  const samples = await readSamples(options.samples)
  const stop = streams.stop.takeOver()
  const report = await check(streams, dir, options, config, samples, stop)
  if (stop.aborted) return exitCodes.failure
  if (options.junit !== undefined) await writeFile(options.junit, junitOf(report))
  if (options.json) printJson(streams, wireReport(report))
  else print(streams, summaryOf(report))
  return report.failed + report.blocked === 0 ? exitCodes.done : exitCodes.failure
}

async function check(
  streams: Streams,
  dir: string,
  { only, json, settings, timeout }: TestCommand,
  config: Record<string, unknown>,
  samples: Samples,
  signal: AbortSignal,
): Promise<CheckReport> {
  const progress = new Progress(streams, json)
  const target = pluginTarget(dir, {
    ...settings.host,
    signal,
    onLog: ({ level, message }) => {
      if (level === 'ERROR' || level === 'CRITICAL') progress.log(message)
    },
  })
  progress.begin(basename(dir))
  try {
    return await runChecks({
      ...{ target, config, samples, signal },
      ...(only ? { only } : {}),
      ...(timeout === undefined ? {} : { timeoutMs: timeout }),
      onStart: ({ id }) => progress.start(id),
      onResult: (result) => progress.end(result),
    })
  } catch (error) {
    // A sample does not fit, or --only matches nothing.
    if (describeThrown(error).name === 'TypeError') throw new UsageError(reasonOf(error))
    throw error
  }
}

/** Prints each check when it ends and, on a terminal, the running one. */
class Progress {
  readonly #streams: Streams
  readonly #isQuiet: boolean
  readonly #isTerminal: boolean
  #log: string[] = []

  constructor(streams: Streams, isQuiet: boolean) {
    this.#streams = streams
    this.#isQuiet = isQuiet
    this.#isTerminal = !isQuiet && isTerminal(streams.out)
  }

  begin(plugin: string): void {
    if (!this.#isQuiet) print(this.#streams, plugin)
  }

  log(line: string): void {
    this.#log.push(line)
  }

  start(id: string): void {
    this.#log = []
    if (this.#isTerminal) write(this.#streams.out, `  …        ${id}`)
  }

  end(result: CheckResult): void {
    if (this.#isQuiet) return
    if (this.#isTerminal) this.#streams.out.write('\r\u001b[K')
    for (const line of linesOf(this.#streams, result, this.#log)) print(this.#streams, line)
  }
}

const colours = { passed: 'green', failed: 'red', skipped: 'yellow', blocked: 'yellow' } as const

function linesOf(
  { out }: Streams,
  { id, title, status, reason, note }: CheckResult,
  log: readonly string[],
): string[] {
  const verdict = paint(out, colours[status], status.padEnd(7))
  const why = reason ?? note
  if (status !== 'failed') return [`  ${verdict}  ${id}${why ? `: ${why}` : ''}`]
  const shown = log.slice(-shownLogLines).map((line) => `             ${line}`)
  return [`  ${verdict}  ${id}: ${title}`, `           ${reason}`, ...shown]
}

function summaryOf({ contract, passed, failed, skipped, blocked, durationMs }: CheckReport): string {
  const counts = [
    `${passed} passed`,
    `${failed} failed`,
    `${skipped} skipped`,
    ...(blocked ? [`${blocked} blocked`] : []),
  ]
  return `${contract}: ${counts.join(', ')} in ${(durationMs / 1000).toFixed(1)} s`
}

/** The report with wire names, as other commands print JSON. */
function wireReport({ durationMs, results, ...counts }: CheckReport): Record<string, unknown> {
  return {
    ...counts,
    duration_ms: Math.round(durationMs),
    results: results.map(({ id, title, status, reason, note, durationMs: took }) => ({
      ...{ id, title, status },
      ...(reason === undefined ? {} : { reason }),
      ...(note === undefined ? {} : { note }),
      duration_ms: Math.round(took),
    })),
  }
}

async function readSamples(file: string | undefined): Promise<Samples> {
  if (file === undefined) return {}
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new UsageError(`--samples ${file}: ${reasonOf(error)}`)
  })
  const samples = parseObject('--samples', text)
  for (const [method, args] of Object.entries(samples)) {
    if (!isSample(args))
      throw new UsageError(`--samples: ${method} takes an object of arguments, or an array of them`)
  }
  return samples as Samples
}

function isSample(value: unknown): boolean {
  const list = Array.isArray(value) ? value : [value]
  return list.every((item) => typeof item === 'object' && item !== null && !Array.isArray(item))
}
