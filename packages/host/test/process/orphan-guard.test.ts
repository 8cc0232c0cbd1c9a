import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { isAlive } from '../fixtures/plugins.js'

const guardModule = new URL('../../dist/process/orphan-guard.js', import.meta.url).href

/** Lives for a minute, in a group of its own. */
function startGroup(): number {
  const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child.pid ?? -1
}

/** Whether it has come to that in its start. */
function ignoresSigterm(pid: number): boolean {
  const [, ignored = '0'] = /^SigIgn:\s*(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return (BigInt(`0x${ignored}`) & (1n << BigInt(constants.signals.SIGTERM - 1))) !== 0n
}

/** A host of which only the guard is there; it does what it is told on stdin. */
class GuardingHost {
  readonly child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor() {
    const script = `
      const guard = await import(${JSON.stringify(guardModule)})
      for await (const line of (await import('node:readline')).createInterface({ input: process.stdin })) {
        const [what, pid] = line.split(' ')
        guard[what](Number(pid))
        console.log('done')
      }`
    this.child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => void this.child.kill('SIGKILL'))
    if (!this.child.stdout) throw new Error('no stdout')
    this.#lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }

  async tell(what: 'guardGroup' | 'releaseGroup', pid: number): Promise<void> {
    this.child.stdin?.write(`${what} ${pid}\n`)
    await this.#lines.next()
  }

  /** The process of the guard. */
  get guard(): number {
    const [guard] = this.guards
    if (!guard) throw new Error('no guard')
    return guard
  }

  /** All processes that it has started and that have not left. */
  get guards(): number[] {
    const { pid } = this.child
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').map(Number).filter(Boolean)
  }

  async endBy(signal: NodeJS.Signals, whom: 'host' | 'group' = 'host'): Promise<void> {
    const exit = once(this.child, 'exit')
    const { pid = 0 } = this.child
    process.kill(whom === 'host' ? pid : -pid, signal)
    await exit
  }
}

test.runIf(process.platform === 'linux').each([
  ['SIGKILL', 'host'],
  ['SIGKILL', 'group'],
  ['SIGINT', 'group'],
  ['SIGHUP', 'group'],
] as const)(
  'after a %s to the %s, groups may leave by themselves for a while, and are killed then; released ones live',
  async (signal, whom) => {
    const host = new GuardingHost()
    const [kept, released] = [startGroup(), startGroup()]
    for (const pid of [kept, released]) await host.tell('guardGroup', pid)
    await host.tell('releaseGroup', released)
    const { guard } = host
    // Whoever ends the host's children by their signal ends the guard's reason to be, not the guard.
    await expect.poll(() => ignoresSigterm(guard)).toBe(true)
    process.kill(guard, 'SIGTERM')
    await host.endBy(signal, whom)
    await delay(500)
    expect(isAlive(kept)).toBe(true)
    await expect.poll(() => isAlive(kept)).toBe(false)
    await expect.poll(() => isAlive(guard)).toBe(false)
    expect(isAlive(released)).toBe(true)
  },
)

test.runIf(process.platform === 'linux')(
  'a guard that was killed leaves groups alone, also the next one',
  async () => {
    const host = new GuardingHost()
    const [first, second] = [startGroup(), startGroup()]
    await host.tell('guardGroup', first)
    const { guard } = host
    process.kill(guard, 'SIGKILL')
    await host.tell('guardGroup', second)
    await expect.poll(() => host.guards).not.toContain(guard)
    await expect.poll(() => host.guards).toHaveLength(1)
    // An answer comes once the guard that is there now was told of both groups.
    await host.tell('releaseGroup', -1)
    await host.endBy('SIGKILL')
    await expect.poll(() => [first, second].filter(isAlive)).toEqual([])
  },
)
