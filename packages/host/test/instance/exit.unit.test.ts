import { expect, test } from 'vitest'
import { type EndedProcess, exitError } from '../../src/instance/exit.js'

const byItself = { code: 3, signal: undefined }
const bySignal = { code: undefined, signal: 'SIGKILL' }
const neverBegun = { code: undefined, signal: undefined, reason: 'EMFILE' }

const cases: [what: string, ended: Partial<EndedProcess>, error: object | undefined][] = [
  [
    'it ends by itself before the handshake',
    { phase: 'handshake' },
    { codeName: 'PLUGIN_LOAD_FAILED', data: { exit: 'exited with code 3', transient: false } },
  ],
  [
    'somebody kills it before the handshake',
    { phase: 'handshake', exit: bySignal },
    { codeName: 'PLUGIN_LOAD_FAILED', data: { exit: 'was ended by SIGKILL', transient: true } },
  ],
  [
    'the host kills it before the handshake',
    { phase: 'handshake', exit: bySignal, killReason: 'said too much' },
    { codeName: 'PLUGIN_LOAD_FAILED', data: { exit: 'said too much', transient: false } },
  ],
  [
    'it can’t be started',
    { phase: 'handshake', exit: neverBegun },
    { codeName: 'PLUGIN_LOAD_FAILED', data: { exit: 'could not be started: EMFILE', transient: true } },
  ],
  [
    'it ends in initialize()',
    { phase: 'initialize' },
    { codeName: 'PLUGIN_INITIALIZE_FAILED', data: { exit: 'exited with code 3' } },
  ],
  [
    'it ends while it serves, also with code 0',
    { phase: 'serving', exit: { code: 0, signal: undefined } },
    { codeName: 'PLUGIN_CRASHED', data: { exit: 'exited with code 0', stderr: 'the last words' } },
  ],
  [
    'the host kills it while it serves',
    { phase: 'serving', exit: bySignal, killReason: 'did not turn its event loop' },
    { codeName: 'PLUGIN_CRASHED', data: { exit: 'did not turn its event loop' } },
  ],
  ['it ends when it was asked to', { phase: 'stopping' }, undefined],
  ['it is killed because it did not leave', { phase: 'stopping', exit: bySignal }, undefined],
]

test.each(cases)('%s', (_, ended, error) => {
  const rest = { plugin: 'speaker', exit: byItself, phase: 'serving', killReason: undefined } as const
  const found = exitError({ ...rest, stderr: 'the last words', ...ended })
  if (error === undefined) expect(found).toBeUndefined()
  else expect(found).toMatchObject(error)
})
