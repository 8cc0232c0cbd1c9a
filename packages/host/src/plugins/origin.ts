import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readSmallFile } from '../small-file.js'

/** Where a plugin was added from. */
export interface Origin {
  /** As npm was asked: `tts_x@^1.0.0`, or the absolute path of a folder or a tarball. */
  spec: string
  /** Name of the npm package, which may be another one than the plugin's. */
  package: string
  /** Version of the npm package. */
  version: string
  /** Checksum of the package, as npm has it; null for a folder. */
  integrity: string | null
  /** When it was added: ISO 8601, in UTC. */
  date: string
}

const folder = '.appfactory'
const maxOriginBytes = 64 * 1024

/** What `writeOrigin` wrote; undefined where it did not, or where that can't be read. */
export async function readOrigin(dir: string): Promise<Origin | undefined> {
  try {
    const value: unknown = JSON.parse(await readSmallFile(join(dir, folder, 'origin.json'), maxOriginBytes))
    return isOrigin(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Notes in a plugin's folder where it came from. */
export async function writeOrigin(dir: string, origin: Origin): Promise<void> {
  // What the package itself has there is not what happened here.
  await rm(join(dir, folder), { recursive: true, force: true })
  await mkdir(join(dir, folder))
  await writeFile(join(dir, folder, 'origin.json'), `${JSON.stringify(origin, null, 2)}\n`)
}

/** For a person. */
export function originText(origin: Pick<Origin, 'package' | 'version'> | undefined): string {
  if (!origin) return 'it was not added by this command'
  return `${origin.package}@${origin.version}`
}

function isOrigin(value: unknown): value is Origin {
  if (typeof value !== 'object' || value === null) return false
  const texts = ['spec', 'package', 'version', 'date'].map((key): unknown => Reflect.get(value, key))
  const integrity: unknown = Reflect.get(value, 'integrity')
  return (
    texts.every((text) => typeof text === 'string') && (integrity === null || typeof integrity === 'string')
  )
}
