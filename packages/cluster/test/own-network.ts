import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'

/** A network namespace of Linux, behind a cable that can be pulled: nobody is told then, as where a switch fails. */
export interface OwnNetwork {
  /** The command that runs another one in there. */
  readonly through: readonly string[]
  /** Of this machine, as it is reached from there. */
  readonly address: string
  pullCable(): void
  plugCable(): void
  remove(): void
}

function ip(...words: string[]): void {
  execFileSync('ip', words.join(' ').split(' '), { stdio: 'pipe' })
}

/** @throws Error where this user may not, or there is no `ip` (package iproute2). */
export function makeOwnNetwork(): OwnNetwork {
  const number = randomInt(2 ** 14)
  const [name, here] = [`appfactory-${number}`, `af${number}`]
  // Two addresses of the block for measurements in laboratories, RFC 2544.
  const addressOf = (end: number): string => `198.18.${number >> 6}.${(number % 64) * 4 + end}`
  ip('netns add', name)
  const remove = (): void => ip('netns del', name)
  try {
    ip('link add', here, 'type veth peer name there netns', name)
    ip('addr add', `${addressOf(1)}/30`, 'dev', here)
    ip('-n', name, 'addr add', `${addressOf(2)}/30`, 'dev there')
    ip('-n', name, 'link set there up')
    ip('link set', here, 'up')
  } catch (error) {
    remove()
    throw error
  }
  return {
    through: ['ip', 'netns', 'exec', name],
    address: addressOf(1),
    pullCable: () => ip('link set', here, 'down'),
    plugCable: () => ip('link set', here, 'up'),
    remove,
  }
}

/** Whether networks can be made here. A line says why not, where that is so. */
export function canMakeNetworks(): boolean {
  try {
    makeOwnNetwork().remove()
    return true
  } catch (error) {
    process.stderr.write(
      `Skipped: a network that is cut. It takes Linux, \`ip\` and the rights of root: ${error}\n`,
    )
    return false
  }
}
