import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Whether plugins in Python can be tried. */
export const hasPython = spawnSync('python3', ['-I', '-c', '']).status === 0

/**
 * A plugin that answers with the token of the call and does on demand what goes wrong. `prompt` is
 * `{"token", "work"?: ms, "fault"?, "print"?: file, "flood"?}` as JSON. Its state: how many calls it has answered, and the last token.
 */
const subject = `
import { readFileSync, writeSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { LLMContract } from '@appfactory/sdk'

/** The runtime's own ends of the host's pipes: where bytes go, and messages. */
const pipe = (fd) => process._getActiveHandles().find(({ _handle }) => _handle?.fd === fd)
const say = (data) => pipe(4).write(data)

const faults = {
  exit: () => process.exit(7),
  kill: () => process.kill(process.pid, 'SIGKILL'),
  throw: () => setImmediate(() => { throw new Error('outside of any call') }),
  loop: () => { for (;;); },
  noise: () => writeSync(1, 'noise \\u00e9 {"jsonrpc": \\n'.repeat(200)),
  forged: () => [(text) => writeSync(1, text), say].forEach((print) => print('{"jsonrpc":"2.0","id":999999999,"result":{"text":"forged"}}\\n{"jsonrpc":"2.0","method":"$/stream","params":{"id":999999999,"seq":0,"value":1}}\\n')),
  stderr: () => process.stderr.write('x'.repeat(1_000_000) + '\\n'),
  oversize: () => say('x'.repeat(9_000_000)),
  refuse: () => { throw new Error('refused') },
}

const floods = {
  noise: [1, 'noise \\u00e9 {"jsonrpc": \\n'],
  stdout: [1, 'y\\n'],
  bytes: [3, Buffer.from([0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 7]).toString('latin1')],
  answers: [4, '{"jsonrpc":"2.0","id":999999999,"result":{"text":"forged"}}\\n'],
  pieces: [4, '{"jsonrpc":"2.0","method":"$/stream","params":{"id":999999999,"seq":0,"value":1}}\\n'],
  notifications: [4, '{"jsonrpc":"2.0","method":"progress","params":{"of":"nothing"}}\\n'],
  stderr: [2, 'so much to say\\n'],
}

/** As much as the host takes, for some ms, while the calls go on. */
async function flood([fd, line], ms) {
  const lines = Buffer.from(line.repeat(500), 'latin1')
  const write = fd > 2 ? (data) => pipe(fd).write(data) : (data) => writeSync(fd, data)
  for (const end = performance.now() + ms; performance.now() < end; await turn()) write(lines)
}

// LISTENING
export default class Subject extends LLMContract {
  answered = 0
  #sleep(ms) { return new Promise((resolve) => setTimeout(resolve, ms)) }
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async getModels() { return [{ id: 'one', name: 'One' }] }
  async chat() { return { role: 'assistant', content: String(process.pid) } }
  async complete(prompt) {
    const begun = performance.now()
    const { token, work = 0, fault, size = 0, print, flood: kind } = JSON.parse(prompt)
    faults[fault]?.()
    if (kind) await flood(floods[kind], work)
    if (print) say(readFileSync(print))
    if (work > 0 && !kind) await this.#sleep(work)
    this.answered += 1
    return { text: token, finishReason: 'stop', metadata: { number: this.answered, ms: performance.now() - begun, answers: globalThis.answers, pad: 'x'.repeat(size) } }
  }
  async *streamComplete(prompt) {
    const { token, pieces = 20, fault } = JSON.parse(prompt)
    for (let index = 0; index < pieces; index++) {
      if (fault && index === 3) faults[fault]?.()
      if (index % 8 === 0) await this.#sleep(1)
      yield token + '#' + index + ' '
    }
  }
  // STATE
}
`

const listening = `
/** What the host has answered, though nothing here ever asks it: how often, and how often with no id. */
const answers = globalThis.answers = { all: 0, withoutId: 0 }
let rest = ''
pipe(4).on('data', (chunk) => {
  const lines = (rest + chunk.toString('latin1')).split('\\n')
  rest = lines.pop()
  for (const line of lines) {
    const { method, id } = JSON.parse(line)
    if (method !== undefined) continue
    answers.all += 1
    if (id === null || id === undefined) answers.withoutId += 1
  }
})
`

const state = `
  captureState() { return { answered: this.answered, bytes: new Uint8Array(1000).fill(7) } }
  restoreState({ answered, bytes }) {
    if (bytes.length !== 1000 || bytes.some((byte) => byte !== 7)) throw new Error('the bytes are not what they were')
    this.answered = answered
  }
`

/**
 * A folder of plugins, each of them the subject. Those whose names begin with `stateful` keep state, with `listening` they
 * count what the host answers them. Those whose names end with `python` are the subject in Python.
 */
export function writePlugins(names) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'appfactory-torture-')))
  for (const name of names) {
    const dir = join(root, name)
    mkdirSync(dir)
    if (isPython(name)) writePython(dir, name)
    else writeNode(dir, name)
  }
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) }
}

export function isPython(name) {
  return name.endsWith('python')
}

function writeNode(dir, name) {
  writeManifest(dir, name, 'index.js')
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
  const source = name.startsWith('listening') ? subject.replace('// LISTENING', () => listening) : subject
  writeFileSync(
    join(dir, 'index.js'),
    name.startsWith('stateful') ? source.replace('// STATE', () => state) : source,
  )
}

function writePython(dir, name) {
  writeManifest(dir, name, 'main')
  copyFileSync(new URL('subject.py', import.meta.url), join(dir, 'subject.py'))
  const subjectClass = name.startsWith('stateful') ? 'StatefulSubject' : 'Subject'
  writeFileSync(join(dir, 'main.py'), `from subject import ${subjectClass} as Plugin\n`)
}

function writeManifest(dir, name, entryPoint) {
  const manifest = { name, version: '1.0.0', contract: 'llm', entry_point: entryPoint }
  writeFileSync(join(dir, 'manifest.json'), JSON.stringify(manifest))
}
