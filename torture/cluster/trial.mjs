import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * A plugin with everything that a call can be: results, bytes, streams both ways and sessions. It notes each call that it begins, in a
 * file that outlives it, and does on demand what goes wrong.
 */
const source = `
import { openSync, writeSync } from 'node:fs'
import { defineContract, PluginError } from '@appfactory/sdk'
import { z } from 'zod'

const order = { token: z.string(), work: z.number().optional() }
const bytes = z.instanceof(Uint8Array)
const session = z.object({ sessionId: z.string(), token: z.string() })
const answer = z.object({ token: z.string(), pid: z.number(), pad: z.string().optional(), sound: bytes.optional() })

const Trial = defineContract({
  name: 'trial',
  version: '1.0.0',
  methods: {
    work: { args: z.object({ ...order, pad: z.number().optional(), sound: z.number().optional(), fault: z.string().optional() }), result: answer },
    count: { kind: 'stream', args: z.object({ ...order, pieces: z.number(), sound: z.number().optional() }), piece: z.object({ token: z.string(), index: z.number(), sound: bytes.optional() }), result: z.object({ pieces: z.number() }) },
    join: { kind: 'stream', input: 'text', args: z.object({ ...order, text: z.string() }), piece: z.object({ text: z.string() }), result: z.object({ pieces: z.number() }) },
    open: { session: 'open', args: z.object(order), result: z.object({ sessionId: z.string(), pid: z.number() }) },
    use: { session: 'use', args: session, result: z.object({ uses: z.number(), pid: z.number() }) },
    // A node ends the sessions of a caller that has gone: without a token.
    end: { session: 'close', args: session.partial({ token: true }), result: z.object({ uses: z.number(), pid: z.number() }) },
  },
})

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const begun = openSync('begun-' + process.pid, 'a')
const pipe = (fd) => process._getActiveHandles().find(({ _handle }) => _handle?.fd === fd)

const faults = {
  exit: () => process.exit(7),
  kill: () => process.kill(process.pid, 'SIGKILL'),
  throw: () => setImmediate(() => { throw new Error('outside of any call') }),
  noise: () => writeSync(1, 'noise \\u00e9 {"jsonrpc": \\n'.repeat(20_000)),
  stderr: () => process.stderr.write('x'.repeat(1_000_000) + '\\n'),
  forged: () => pipe(4).write('{"jsonrpc":"2.0","id":999999999,"result":{"text":"forged"}}\\n'.repeat(1000)),
}

export default class extends Trial {
  #sessions = new Map()
  #last = 0

  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }

  async work({ token, work = 0, pad = 0, sound = 0, fault }) {
    writeSync(begun, token + '\\n')
    faults[fault]?.()
    if (work > 0) await sleep(work)
    const { pid } = process
    return { token, pid, pad: 'x'.repeat(pad), ...(sound > 0 ? { sound: new Uint8Array(sound).fill(token.length) } : {}) }
  }

  async *count({ token, pieces, work = 0, sound = 0 }) {
    writeSync(begun, token + '\\n')
    for (let index = 0; index < pieces; index++) {
      if (work > 0) await sleep(work)
      yield { token, index, ...(sound > 0 ? { sound: new Uint8Array(sound).fill(token.length) } : {}) }
    }
    return { pieces }
  }

  async *join({ token, text }) {
    writeSync(begun, token + '\\n')
    let pieces = 0
    for await (const part of text) { yield { text: part }; pieces++ }
    return { pieces }
  }

  open({ token }) {
    writeSync(begun, token + '\\n')
    const sessionId = 's' + ++this.#last
    this.#sessions.set(sessionId, 0)
    return { sessionId, pid: process.pid }
  }

  use({ sessionId, token }) {
    writeSync(begun, token + '\\n')
    const uses = this.#usesOf(sessionId) + 1
    this.#sessions.set(sessionId, uses)
    return { uses, pid: process.pid }
  }

  end({ sessionId, token }) {
    if (token) writeSync(begun, token + '\\n')
    const uses = this.#usesOf(sessionId)
    this.#sessions.delete(sessionId)
    return { uses, pid: process.pid }
  }

  #usesOf(sessionId) {
    const uses = this.#sessions.get(sessionId)
    if (uses === undefined) throw new PluginError('INVALID_PARAMS', 'There is no such session')
    return uses
  }
}
`

export function writeTrial(root) {
  const folder = `${root}/plugins/trial`
  mkdirSync(`${folder}/node_modules/@appfactory`, { recursive: true })
  const packages = fileURLToPath(new URL('../../packages', import.meta.url))
  symlinkSync(`${packages}/sdk`, `${folder}/node_modules/@appfactory/sdk`)
  symlinkSync(`${packages}/host/node_modules/zod`, `${folder}/node_modules/zod`)
  const manifest = { name: 'trial', version: '1.0.0', contract: 'trial', entry_point: 'index.js' }
  writeFileSync(`${folder}/manifest.json`, JSON.stringify(manifest))
  writeFileSync(`${folder}/package.json`, '{"type":"module"}')
  writeFileSync(`${folder}/index.js`, source)
}

/** How often each call was begun, in all processes that there ever were. */
export function callsBegun(root) {
  const folder = `${root}/plugins/trial`
  const counts = new Map()
  for (const file of readdirSync(folder).filter((name) => name.startsWith('begun-')))
    for (const token of readFileSync(`${folder}/${file}`, 'utf8').split('\n'))
      if (token !== '') counts.set(token, (counts.get(token) ?? 0) + 1)
  return counts
}
