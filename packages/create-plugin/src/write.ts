import { chmod, mkdir, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Cancelled, UndoFailed } from './failures.js'
import type { PlannedFile } from './plan.js'
import { checkTarget, parentsOf, statOf } from './target.js'

export interface WriteOptions {
  /** Overwrite planned files that are there. Others are never touched. */
  force?: boolean
  signal?: AbortSignal
}

/**
 * Writes all files or none: they are created beside the target, and moved when all exist. After a failure, the files from
 * before are restored; if even that fails, the error names the folder that keeps them.
 *
 * @throws TargetBusy, Cancelled, UndoFailed, or an error of the file system.
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
  } catch (error) {
    // It may hold the only copy of overwritten files.
    if (!(error instanceof UndoFailed)) await rm(stage, { recursive: true, force: true })
    throw error
  }
  await rm(stage, { recursive: true, force: true })
}

async function writeOne(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content, { flag: 'wx' })
}

/** Moves staged files into an existing folder, and undoes all moves if one fails. */
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
      // The mode of a symlink means nothing.
      if (old?.isFile()) await chmod(join(stage, path), old.mode)
      if (old) {
        await rename(place, join(stage, `${path}.old`))
        undo.push(() => rename(join(stage, `${path}.old`), place))
      }
      await rename(join(stage, path), place)
      undo.push(() => rm(place, { force: true }))
    }
  } catch (error) {
    const failed = await undoAll(undo.reverse())
    if (failed.length === 0) throw error
    throw new UndoFailed(stage, [error, ...failed])
  }
}

/** Runs every step, also after failures, and returns the failures. */
async function undoAll(steps: readonly (() => Promise<void>)[]): Promise<unknown[]> {
  const failed: unknown[] = []
  for (const step of steps) await step().catch((error: unknown) => failed.push(error))
  return failed
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
