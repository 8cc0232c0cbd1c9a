import { describeThrown, maxTimerMs } from '@appfactory/sdk/internal'
import { complain, exitCodes, fail, isReaderGone, type Streams } from './output.js'
import { createParser, splitNames } from './parser.js'
import { StopSignals } from './stop-signals.js'

/** Runs `appfactory-host` and sets the exit code of the process. */
export async function main(argv: readonly string[]): Promise<void> {
  const streams = openStreams()
  const { out, gone, stop } = streams
  // Node would open its debugger: a plugin, whatever its permissions, could run code in the host.
  process.on('SIGUSR1', () => {})
  process.exitCode = await run(argv, streams)
  stop.release()
  const timer = streams.flushMs <= maxTimerMs ? setTimeout(leave, streams.flushMs) : undefined
  // Open handles of plugins and pipes must not keep the command alive, but pending output must arrive.
  // An error of the last write is emitted just after this callback.
  out.write('', () => setImmediate(leave))

  function leave(): void {
    clearTimeout(timer)
    if (gone.aborted && !isReaderGone(gone.reason)) {
      complain(streams, `stdout can’t be written: ${describeThrown(gone.reason).message}`)
      process.exitCode ||= exitCodes.failure
    }
    process.exit()
  }
}

function openStreams(): Streams {
  const gone = new AbortController()
  const stop = new StopSignals()
  stop.listen()
  process.stdout.on('error', (error) => gone.abort(error))
  // Nowhere is left to report it.
  process.stderr.on('error', () => {})
  return {
    ...{ out: process.stdout, error: process.stderr },
    ...{ gone: gone.signal, stop, flushMs: Number.POSITIVE_INFINITY },
  }
}

async function run(argv: readonly string[], streams: Streams): Promise<number> {
  let status: number = exitCodes.done
  const settle = async (work: Promise<number>): Promise<void> => {
    status = await work
  }
  try {
    await createParser(streams, argv, settle).parseAsync(splitNames(argv))
  } catch (error) {
    // After a signal, failures of interrupted work are expected.
    return streams.stop.status ?? fail(streams, error, argv.includes('--json'))
  }
  return streams.stop.status ?? status
}
