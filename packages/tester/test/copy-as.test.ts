import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { jsonRpc, shell, typescript } from '../src/invoke/copy-as.js'
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
    timeout: 500,
    inPieces: true,
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
  const words = shell(invocation(awkward)).replace('npx appfactory-host', "printf '%s\\0'")
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
