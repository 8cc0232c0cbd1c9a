import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import type { Schema } from '../src/api/types.js'
import { addClip, clipOf, withBytes } from '../src/form/clips.js'
import { filesOf, jsonRpc, shell, typescript } from '../src/invoke/copy-as.js'
import type { Invocation } from '../src/invoke/run.js'

const method = {
  description: '',
  required: true,
  idempotent: true,
  input: null,
  args: {},
  result: {},
  piece: null,
}

function invocation(args: Invocation['args'], kind: 'call' | 'stream' = 'call'): Invocation {
  return {
    plugin: 'tts_flite',
    pluginsDir: '/my plugins/it\'s "here"',
    method: { ...method, name: 'synthesize', kind },
    args,
    config: undefined,
    timeout: 500,
    inPieces: true,
  }
}

/** With bytes in two places of the arguments, and texts that only look like them. */
const schema: Schema = {
  type: 'object',
  properties: {
    audio_b64: { type: 'string', contentEncoding: 'base64' },
    also_b64: { type: 'string', contentEncoding: 'base64' },
    prompt: { type: 'string' },
    parts: { type: 'array', items: { $ref: '#/$defs/part' } },
  },
  $defs: {
    part: { type: 'object', properties: { data_b64: { type: 'string', contentEncoding: 'base64' } } },
  },
}

function withClip(label: string): { call: Invocation; base64: string } {
  const { id, base64 } = addClip(label, new Uint8Array([1, 2, 3]))
  const args = { audio_b64: id, also_b64: id, prompt: id, parts: [{ data_b64: id }] }
  return {
    call: { ...invocation(args), method: { ...method, name: 'x', kind: 'call', args: schema } },
    base64,
  }
}

const awkward = { text: `it's "quoted" \\ $HOME \`date\` !x\nnext`, list: [1, true, null], 'odd-key': {} }

it('makes a line that appfactory-host takes', () => {
  expect(JSON.parse(jsonRpc(invocation(awkward, 'stream')))).toEqual({
    jsonrpc: '2.0',
    id: 1,
    method: 'plugin/call',
    params: { plugin: 'tts_flite', method: 'synthesize', args: awkward, timeout: 500, stream: true },
  })
})

it('makes a command that a shell takes as it is', () => {
  const words = shell(invocation(awkward)).replace('npx --no-install appfactory-host', "printf '%s\\0'")
  const args = execFileSync('sh', ['-c', words], { encoding: 'utf8' }).split('\0').slice(0, -1)
  const json = args[args.indexOf('--args') + 1] ?? ''
  expect(args).toEqual([
    ...['call', 'tts_flite', 'synthesize', '--plugins-dir', '/my plugins/it\'s "here"'],
    ...['--args', json, '--timeout', '500'],
  ])
  expect(JSON.parse(json)).toEqual(awkward)
})

it('makes a program with the same arguments', () => {
  const [, given = ''] = /host\.call\((.*)\)\)$/m.exec(typescript(invocation(awkward))) ?? []
  const values: unknown = new Function(`return [${given}]`)()
  expect(values).toEqual(['tts_flite', 'synthesize', awkward, { timeoutMs: 500 }])
  expect(typescript(invocation({}, 'stream'))).toContain('for await (const piece of host.stream(')
})

it('has the bytes in the line, but not where a text only looks like their name', () => {
  const { call, base64 } = withClip('line.wav')
  const { args } = JSON.parse(jsonRpc(call)).params
  expect(args).toMatchObject({ audio_b64: base64, also_b64: base64, parts: [{ data_b64: base64 }] })
  expect(clipOf(args.prompt)?.label).toBe('line.wav')
  expect(withBytes({ other: call.args['audio_b64'] }, {})).toEqual({ other: call.args['audio_b64'] })
  expect(filesOf(call, 'JSON-RPC line')).toEqual([])
})

it('names the files that a command reads, and the configuration', () => {
  const { call, base64 } = withClip('$& it’s.wav')
  const words = shell({ ...call, config: { voice: 'rms' } }).replace(
    'npx --no-install appfactory-host',
    "printf '%s\\0'",
  )
  const args = execFileSync('sh', ['-c', words], { encoding: 'utf8' }).split('\0')
  expect(args).toEqual(expect.arrayContaining(['audio=$& it’s.wav', 'also=$& it’s.wav', '{"voice":"rms"}']))
  expect(JSON.parse(args[args.indexOf('--args') + 1] ?? '')).toMatchObject({ parts: [{ data_b64: base64 }] })
  expect(filesOf(call, 'shell command').map(({ label }) => label)).toContain('$& it’s.wav')
})

it('reads each file in a program, wherever it is used, and loads with the configuration', () => {
  const { call } = withClip('$& twice.wav')
  const program = typescript({ ...call, config: { voice: 'rms' } })
  expect(program.match(/readFileSync\('\$& twice\.wav', 'base64'\)/g)).toHaveLength(3)
  expect(program).toContain("import { readFileSync } from 'node:fs'")
  expect(program).toContain(`prompt: '${String(call.args['prompt'])}'`)
  expect(program).toContain("await host.load('tts_flite', { config: { voice: 'rms' } })")
})

it('gives no two clips the same name for a file', () => {
  const labels = [1, 2, 3].map(() => addClip('same.wav', new Uint8Array(1)).label)
  expect(labels).toEqual(['same.wav', 'same-2.wav', 'same-3.wav'])
})
