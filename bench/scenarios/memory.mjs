import { readFileSync } from 'node:fs'
import { start as project } from '../contenders/appfactory.mjs'
import { start as bare } from '../contenders/bare.mjs'
import { peers } from '../contenders/index.mjs'
import { mapValues } from '../ratios.mjs'
import { stopAll } from '../rounds.mjs'

const pageBytes = 4096

/** What a process takes of the memory when it has answered once. */
export const memory = {
  name: 'memory',
  title: 'memory of a process (RSS)',
  unit: 'MB',
  base: 'bare Node',
  targets: [{ of: 'project', against: 'bare Node', difference: true, atMost: 12 }],
  open: async () => {
    const own = {
      'bare Node': () => measured(bare, ({ memoryMb }) => memoryMb),
      project: () => measured(project, ownMb),
    }
    // The peers do not tell; Linux does.
    const others = mapValues(peers, (begin) => () => measured(begin, residentMb))
    return {
      measures: process.platform === 'linux' ? { ...own, ...others } : own,
      close: async () => {},
    }
  },
}

export async function measured(begin, read) {
  const contender = await begin()
  try {
    return await read(contender)
  } finally {
    await stopAll({ contender })
  }
}

export async function ownMb({ llm, call }) {
  await call('hello')
  return (await llm.health()).memoryMb
}

async function residentMb({ pid, call }) {
  await call('hello')
  const [, pages] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')
  return (Number(pages) * pageBytes) / 1e6
}
