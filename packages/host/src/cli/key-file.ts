import { stat } from 'node:fs/promises'
import { describeThrown, parseJson, systemCodeOf } from '@appfactory/sdk/internal'
import { readSmallFile } from '../small-file.js'
import { jsonErrorPlace } from './json-error.js'
import { UsageError } from './usage-error.js'

/** Longest file of keys, in bytes. */
const maxBytes = 1024 * 1024

/**
 * The keys of a file that only this user can read: one a line, or as JSON an array of keys with what each is good for.
 *
 * @throws UsageError that names the file, and shows nothing of it.
 */
export async function readKeyFile(file: string): Promise<unknown[]> {
  try {
    await refuseOpenFile(file)
    const text = await readSmallFile(file, maxBytes)
    return text.trimStart().startsWith('[') ? keysOfJson(text) : keysOfLines(text)
  } catch (error) {
    throw unreadable('--key-file', file, error)
  }
}

/** Why the file of a flag can’t be used. */
export function unreadable(flag: string, file: string, error: unknown): UsageError {
  const reason = systemCodeOf(error) === 'ENOENT' ? 'there is no such file' : describeThrown(error).message
  return new UsageError(`${flag} ${file}: ${reason}`)
}

/** Windows has no such bits. */
async function refuseOpenFile(file: string): Promise<void> {
  if (process.platform === 'win32') return
  const { mode } = await stat(file)
  if ((mode & 0o077) !== 0) throw new UsageError(`others can read it; run chmod 600 ${file}`)
}

function keysOfLines(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim())
  const keys = lines.filter((line) => line !== '' && !line.startsWith('#'))
  if (keys.length === 0) throw new UsageError('there is no key in it; write one a line')
  if (keys.some((key) => /\s/.test(key)))
    throw new UsageError('a key must not hold spaces; write one a line, or an array of JSON')
  return keys
}

/** The gateway checks each of them. */
function keysOfJson(text: string): unknown[] {
  let keys: unknown
  try {
    keys = parseJson(text)
  } catch {
    const { line, column } = jsonErrorPlace(text)
    throw new UsageError(`what stands at line ${line}, column ${column} is not JSON`)
  }
  if (Array.isArray(keys) && keys.length > 0) return keys
  throw new UsageError(
    'there is no key in it; write an array of objects, such as [{"name":"kitchen","key":"…"}]',
  )
}
