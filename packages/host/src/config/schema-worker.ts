// The thread that checks configurations whose schemas may take long. Started by schema-checker.ts, and ended by it.
import { parentPort } from 'node:worker_threads'
import { checkAgainst, engines } from './schema-check.js'
import type { Job, Progress } from './schema-checker.js'

const host = parentPort
if (!host) throw new Error('This file is started by schema-checker.js')
// Before the first question, whose time it must not take.
engines()
const tell = (progress: Progress): void => host.postMessage(progress)
host.on('message', ({ schema, config }: Job) => {
  tell({ step: 'compile' })
  const verdict = checkAgainst(schema, config, () => tell({ step: 'check' }))
  tell({ step: 'done', verdict })
})
