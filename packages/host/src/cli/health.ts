import { get } from 'node:http'
import { describeThrown, maxTimerMs, systemCodeOf } from '@appfactory/sdk/internal'
import { z } from 'zod'
import { exitCodes, print, printJson, type Streams } from './output.js'
import { checkPort } from './tester.js'
import { UsageError } from './usage-error.js'

interface HealthCommand {
  port: number
  host: string
  timeout: number
  json: boolean
}

const readiness = z.object({
  ready: z.boolean(),
  reasons: z.array(z.object({ plugin: z.string().optional(), reason: z.string() })),
})

type Answer = z.infer<typeof readiness>

/** The longest answer that is read, in bytes. */
const longestAnswer = 1_048_576

/** `appfactory-host health`: whether a host that serves its metrics is ready, for a probe. */
export async function health(streams: Streams, options: HealthCommand): Promise<number> {
  checkPort(options.port)
  if (!(options.timeout > 0)) throw new UsageError('--timeout takes a number of ms above 0')
  const { ready, reasons } = await ask(options).catch((error: unknown) => unreachable(options, error))
  if (options.json) printJson(streams, { ready, reasons })
  else if (ready) print(streams, 'ready')
  else
    for (const { plugin, reason } of reasons)
      print(streams, plugin === undefined ? reason : `${plugin}: ${reason}`)
  return ready ? exitCodes.done : exitCodes.failure
}

/** What `/readyz` says, whatever the status. */
async function ask({ host, port, timeout }: HealthCommand): Promise<Answer> {
  const signal = AbortSignal.timeout(Math.min(timeout, maxTimerMs))
  const body = await new Promise<string>((resolve, reject) => {
    get({ host, port, path: '/readyz', signal, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('error', reject)
      response.on('end', () => resolve(text))
      response.on('data', (part: string) => {
        text += part
        if (text.length > longestAnswer) response.destroy(new Error('its answer is too long'))
      })
    }).on('error', (error) => reject(signal.aborted ? signal.reason : error))
  })
  return readiness.parse(JSON.parse(body))
}

function unreachable({ host, port, timeout }: HealthCommand, error: unknown): Answer {
  const where = `${host}, port ${port}`
  return { ready: false, reasons: [{ reason: why() }] }

  function why(): string {
    if (describeThrown(error).name === 'TimeoutError') return `no answer from ${where} within ${timeout} ms`
    if (systemCodeOf(error) === 'ECONNREFUSED')
      return `nothing listens on ${where}; does the host run with --metrics-port ${port}?`
    if (error instanceof z.ZodError || error instanceof SyntaxError)
      return `${where} is no host of App Factory: its answer to GET /readyz is not what a host says`
    return `${where} could not be asked: ${describeThrown(error).message}`
  }
}
