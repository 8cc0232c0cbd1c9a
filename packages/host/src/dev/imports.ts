import { realpath, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { readSmallFile } from '../small-file.js'

/** What an import or a `require` names by a relative path. Found in the text: nothing is run. */
const relativeNames =
  /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire(?:\.resolve)?\s*\(\s*)(['"`])(\.{1,2}\/[^'"`]+)\1/g
const code = /\.[cm]?[jt]sx?$/
/** Possible files for `./engine` and `./engine.js`. */
const endings = ['', '.ts', '.mts', '.cts', '.tsx', '.js', '.mjs', '.cjs', '.json', '/index.ts', '/index.js']

/** Enough for hand-written code. */
const maxFiles = 2000
const maxFileBytes = 1024 * 1024

/** The real paths of a module and of all files that it imports, without those of packages. */
export async function importedFiles(entry: string): Promise<Set<string>> {
  const found = new Set<string>()
  const waiting = [entry]
  for (let file = waiting.pop(); file !== undefined && found.size < maxFiles; file = waiting.pop()) {
    if (found.has(file)) continue
    found.add(file)
    if (code.test(file)) waiting.push(...(await importsOf(file)))
  }
  return found
}

async function importsOf(file: string): Promise<string[]> {
  const text = await readSmallFile(file, maxFileBytes).catch(() => '')
  const names = [...text.matchAll(relativeNames)].map(([, , name = '']) => resolve(dirname(file), name))
  return (await Promise.all([...new Set(names)].map(filesOf))).flat()
}

/** All existing files of that name: one may be built beside its source. */
async function filesOf(path: string): Promise<string[]> {
  const bare = path.replace(/\.[cm]?jsx?$/, '')
  const candidates = [path, ...new Set([path, bare])].flatMap((stem) =>
    endings.map((ending) => stem + ending),
  )
  const files = await Promise.all([...new Set(candidates)].map(realFile))
  return files.filter((file) => file !== undefined && !/[\\/]node_modules[\\/]/.test(file)) as string[]
}

async function realFile(path: string): Promise<string | undefined> {
  try {
    const real = await realpath(path)
    return (await stat(real)).isFile() ? real : undefined
  } catch {
    return undefined
  }
}
