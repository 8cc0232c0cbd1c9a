import { once } from 'node:events'
import { existsSync, lstatSync, type Stats, unlinkSync } from 'node:fs'
import { createConnection, type Server } from 'node:net'
import { dirname } from 'node:path'
import { describeThrown, systemCodeOf } from '@appfactory/sdk/internal'

/** The longest path of a socket, in bytes. Node would make one at the beginning of a longer path. */
const maxPathBytes = process.platform === 'linux' ? 107 : 103

/** Only this user may connect. */
const othersMayNothing = 0o177

/**
 * Listens at a path: a Unix socket that only this user may connect to, or a named pipe of Windows. A socket that a host has left
 * behind which is no more is replaced.
 *
 * @throws Error that says why it can't be listened on, and what to do.
 */
export async function listenAt(server: Server, path: string): Promise<void> {
  if (process.platform !== 'win32' && Buffer.byteLength(path) > maxPathBytes)
    throw new Error(`${path} is too long for a socket; choose a path of at most ${maxPathBytes} bytes`)
  try {
    await listen(server, path).catch(async (error: unknown) => {
      if (systemCodeOf(error) !== 'EADDRINUSE' || !(await removeStale(path))) throw error
      await listen(server, path)
    })
  } catch (error) {
    throw new Error(whyNot(error, path), { cause: error })
  }
}

async function listen(server: Server, path: string): Promise<void> {
  const mask = setMask(othersMayNothing)
  // The socket is made before this returns.
  server.listen(path)
  if (mask !== undefined) process.umask(mask)
  await once(server, 'listening')
}

/** Returns the one before; undefined in a worker, which can't set it: the folder has to keep others out then. */
function setMask(mask: number): number | undefined {
  try {
    return process.umask(mask)
  } catch {
    return undefined
  }
}

/** Removes a socket that nobody listens at. Returns whether the path is free now. */
async function removeStale(path: string): Promise<boolean> {
  const found = statOf(path)
  if (!found?.isSocket() || (await isLive(path))) return found === undefined
  // Another host may have taken the place meanwhile.
  const now = statOf(path)
  if (now?.ino !== found.ino || now.ctimeMs !== found.ctimeMs) return false
  unlinkSync(path)
  return true
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}

async function isLive(path: string): Promise<boolean> {
  const socket = createConnection(path)
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    // One that is too busy to accept, or that this user may not connect to, is there all the same.
    return !['ECONNREFUSED', 'ENOENT'].includes(systemCodeOf(error) ?? '')
  } finally {
    socket.destroy()
  }
}

function whyNot(error: unknown, path: string): string {
  const code = systemCodeOf(error)
  if (process.platform === 'win32' && !/^\\\\[.?]\\pipe\\/.test(path))
    return `${path} is no named pipe: on Windows, choose a path such as \\\\.\\pipe\\appfactory`
  if (code === 'EADDRINUSE')
    return statOf(path)?.isSocket() === false
      ? `${path} is there already, and is no socket; choose another path`
      : `A host listens at ${path} already; end it, or choose another path`
  // Node says EACCES for that, too.
  if (!existsSync(dirname(path))) return `The folder of ${path} is not there; make it first`
  if (code === 'EACCES' || code === 'EPERM')
    return `This user may not make ${path}; choose a folder of its own`
  return `${path} can’t be listened on: ${describeThrown(error).message}`
}
