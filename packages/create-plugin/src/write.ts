import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { chmod, mkdir, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, posix } from 'node:path'
import { Cancelled } from './failures.js'
import type { PlannedFile } from './plan.js'

export interface WriteOptions {
  /** Overwrite planned files that are there. Others are never touched. */
  force?: boolean
  signal?: AbortSignal
}

/**
 * Writes all files or none: they are made beside the target, and moved when all are there. Whatever goes wrong, what was
 * there before is there again.
 */
export async function writeFiles(
  target: string,
  files: readonly PlannedFile[],
  { force = false, signal }: WriteOptions = {},
): Promise<void> {
  checkTarget(target, files, force)
  // Beside the target, so that moving is renaming.
  const stage = join(dirname(target), `.${basename(target)}-${process.pid}`)
  await mkdir(stage)
  try {
    for (const file of files) {
      stopIfCancelled(signal)
      await writeOne(join(stage, file.path), file.content)
    }
    stopIfCancelled(signal)
    if (statOf(target)) await moveInto(target, stage, files, signal)
    else await rename(stage, target)
  } finally {
    await rm(stage, { recursive: true, force: true })
  }
}

async function writeOne(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content, { flag: 'wx' })
}

/** @throws Error that lists what is in the way. */
export function checkTarget(target: string, files: readonly PlannedFile[], force: boolean): void {
  const stat = statOf(target)
  if (!stat) return
  if (!stat.isDirectory()) {
    throw new Error(`${target} is there already and is not a folder; choose another name, or move it away`)
  }
  const present = readdirSync(target).filter((entry) => entry !== '.git')
  if (present.length === 0) return
  if (!force) {
    const planned = files.map(({ path }) => path).filter((path) => statOf(join(target, path)))
    throw new Error(
      planned.length === 0
        ? `${target} is not empty: it has ${present.slice(0, 5).join(', ')}${present.length > 5 ? '…' : ''}. Choose another name, or add to it with --force`
        : `${target} has files that would be overwritten:\n${planned.map((path) => `  ${path}`).join('\n')}\nChoose another name, or overwrite these files with --force; others stay as they are`,
    )
  }
  const blocked = files.flatMap(({ path }) => blockers(target, path))
  if (blocked.length > 0) {
    throw new Error(
      `--force overwrites files only. In the way:\n${[...new Set(blocked)].join('\n')}\nMove it away`,
    )
  }
}

/** What a file can't replace, or would lead out of the folder. */
function blockers(target: string, path: string): string[] {
  const stat = statOf(join(target, path))
  const folders = parentsOf(path).filter((folder) => {
    const found = statOf(join(target, folder))
    return found && !found.isDirectory()
  })
  return [
    ...(stat?.isDirectory() ? [`  ${path} is a folder`] : []),
    ...folders.map((folder) => `  ${folder} is not a folder`),
  ]
}

/** Of `a/b/c`: `a`, `a/b`. */
function parentsOf(path: string): string[] {
  const parent = posix.dirname(path)
  return parent === '.' ? [] : [...parentsOf(parent), parent]
}

/** Of the thing itself, not of what a link leads to. */
function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

/** Moves staged files into a folder that is there, and takes it all back if one can't be moved. */
async function moveInto(
  target: string,
  stage: string,
  files: readonly PlannedFile[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const undo: (() => Promise<void>)[] = []
  try {
    for (const { path } of files) {
      stopIfCancelled(signal)
      await makeFolders(target, parentsOf(path), undo)
      const place = join(target, path)
      const old = statOf(place)
      if (old) {
        await rename(place, join(stage, `${path}.old`))
        undo.push(() => rename(join(stage, `${path}.old`), place))
      }
      await rename(join(stage, path), place)
      undo.push(() => rm(place))
      if (old) await chmod(place, old.mode)
    }
  } catch (error) {
    for (const step of undo.reverse()) await step()
    throw error
  }
}

async function makeFolders(
  target: string,
  folders: readonly string[],
  undo: (() => Promise<void>)[],
): Promise<void> {
  for (const folder of folders) {
    const path = join(target, folder)
    if (statOf(path)) continue
    await mkdir(path)
    undo.push(() => rmdir(path))
  }
}

function stopIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new Cancelled('Cancelled; nothing was written.')
}
