import { isDeepStrictEqual } from 'node:util'
import type { ContractDescriptor } from '../../descriptor.js'
import { type Check, type CheckContext, must } from '../check.js'
import { callForResult, tryCall } from './calls.js'
import { methodOf } from './find-method.js'
import { mustBeForeseen, withoutFigures } from './method.js'

const requires = 'start_stream'

/** A session is begun, fed and ended; any number of them at the same time. */
export function sessionChecks(contract: ContractDescriptor): Check[] {
  const session = (context: CheckContext) => new Sessions(context, contract)
  return [
    {
      id: 'stt.sessions.whole',
      requires,
      title: 'A session that is begun, fed and ended answers in the shape of the contract',
      after: ['lifecycle.initialize'],
      run: async (context) => {
        const sessions = session(context)
        await sessions.listen(3)
      },
    },
    {
      id: 'stt.sessions.unknown',
      requires,
      title: 'feed_audio and end_stream refuse a session that is not there',
      after: ['stt.sessions.whole'],
      run: (context) => session(context).mustNotBeThere('no-such-session', 'a session that never was'),
    },
    {
      id: 'stt.sessions.ended',
      requires,
      title: 'A session that has ended is gone',
      after: ['stt.sessions.unknown'],
      run: async (context) => {
        const sessions = session(context)
        const id = await sessions.start()
        await sessions.end(id)
        await sessions.mustNotBeThere(id, 'a session that has ended')
      },
    },
    {
      id: 'stt.sessions.interleaved',
      requires,
      title: 'Two sessions at the same time do not hear each other',
      after: ['stt.sessions.whole'],
      run: (context) => checkInterleaved(session(context)),
    },
  ]
}

async function checkInterleaved(sessions: Sessions): Promise<void> {
  const [short, long] = [await sessions.listen(1), await sessions.listen(3)]
  const isSteady = isDeepStrictEqual(short, await sessions.listen(1))
  const [one, other] = [await sessions.start(), await sessions.start()]
  must(one !== other, `two sessions have the same id, ${JSON.stringify(one)}`)
  await sessions.feed(one)
  for (let fed = 0; fed < 3; fed++) await sessions.feed(other)
  const [heardByOne, heardByOther] = [await sessions.end(one), await sessions.end(other)]
  // A recogniser that never hears the same thing twice can't be compared.
  if (!isSteady)
    return sessions.context.note('not compared: two sessions that are fed the same hear different things')
  must(
    isDeepStrictEqual(heardByOne, short),
    `alone a session hears ${shown(short)}, beside another one ${shown(heardByOne)}`,
  )
  must(
    isDeepStrictEqual(heardByOther, long),
    `alone a session hears ${shown(long)}, beside another one ${shown(heardByOther)}`,
  )
  if (isDeepStrictEqual(short, long))
    sessions.context.note(
      'not compared: a session that is fed once hears what one that is fed three times does; give speech as sample of transcribe',
    )
}

/** The three methods of a session, with the audio of transcribe's sample. */
class Sessions {
  constructor(
    readonly context: CheckContext,
    readonly contract: ContractDescriptor,
  ) {}

  async start(): Promise<string> {
    const result = await callForResult(this.context, methodOf(this.contract, 'start_stream'), {})
    return (result as { sessionId: string }).sessionId
  }

  async feed(id: string): Promise<void> {
    await callForResult(this.context, methodOf(this.contract, 'feed_audio'), this.#feeding(id))
  }

  async end(id: string): Promise<unknown> {
    const result = await callForResult(this.context, methodOf(this.contract, 'end_stream'), {
      session_id: id,
    })
    return withoutFigures(result)
  }

  /** What a session of its own hears that is fed so many times. */
  async listen(times: number): Promise<unknown> {
    const id = await this.start()
    for (let fed = 0; fed < times; fed++) await this.feed(id)
    return this.end(id)
  }

  async mustNotBeThere(id: string, what: string): Promise<void> {
    const calls = { feed_audio: this.#feeding(id), end_stream: { session_id: id } }
    for (const [wire, args] of Object.entries(calls)) {
      const { error } = await tryCall(this.context, methodOf(this.contract, wire), args)
      must(error !== undefined, `${wire} took ${what}`)
      mustBeForeseen(this.context, error, `${wire} for ${what}`)
    }
  }

  #feeding(id: string): Record<string, unknown> {
    const { audio_b64 } = this.context.samples(methodOf(this.contract, 'transcribe')).first
    return { session_id: id, audio_b64 }
  }
}

function shown(result: unknown): string {
  return JSON.stringify(result)?.slice(0, 200) ?? 'nothing'
}
