import { lstatSync, readdirSync, type Stats } from 'node:fs'
import { join, posix } from 'node:path'
import { systemCodeOf } from '@appfactory/sdk/internal'
import { TargetBusy } from './failures.js'
import type { PlannedFile } from './plan.js'

/** @throws TargetBusy that lists the conflicts. */
export function checkTarget(target: string, files: readonly PlannedFile[], force: boolean): void {
  const planned = files.map(({ path }) => path)
  if (force) {
    mustBeFolder(target)
    mustNotBlock(target, planned)
    return
  }
  const conflicts = overwritten(target, planned)
  if (conflicts.length === 0) {
    checkFolder(target)
    return
  }
  throw new TargetBusy(
    `${target} has files that would be overwritten:\n${listOf(conflicts)}\nChoose another name, or overwrite these files with --force; other files stay unchanged`,
    conflicts,
  )
}

/**
 * Checks that a plugin can be created there, whatever its files are: the folder does not exist, is empty, or is a git
 * repository without files.
 *
 * @throws TargetBusy
 */
export function checkFolder(target: string): void {
  mustBeFolder(target)
  const present = presentIn(target)
  if (present.length === 0) return
  throw new TargetBusy(
    `${target} is not empty: it has ${present.slice(0, 5).join(', ')}${present.length > 5 ? ` and ${present.length - 5} more` : ''}. Choose another name, or add to it with --force`,
    present,
  )
}

/** The planned files that already exist. */
export function overwritten(target: string, planned: readonly string[]): string[] {
  return planned.filter((path) => statOf(join(target, path)))
}

function mustBeFolder(target: string): void {
  const stat = statOf(target)
  if (!stat || stat.isDirectory()) return
  throw new TargetBusy(`${target} already exists and is not a folder; choose another name, or move it away`, [
    '.',
  ])
}

function presentIn(target: string): string[] {
  return statOf(target) ? readdirSync(target).filter((entry) => entry !== '.git') : []
}

function mustNotBlock(target: string, planned: readonly string[]): void {
  const blockers = new Map(planned.flatMap((path) => blockersOf(target, path)))
  if (blockers.size === 0) return
  throw new TargetBusy(
    `--force overwrites files only. In the way:\n${listOf([...blockers.values()])}\nMove it away`,
    [...blockers.keys()],
  )
}

/** Paths that a file can't replace, or that lead out of the folder, each with its kind. */
function blockersOf(target: string, path: string): [path: string, said: string][] {
  const folders = parentsOf(path).filter((folder) => {
    const found = statOf(join(target, folder))
    return found && !found.isDirectory()
  })
  return [...[path].filter(() => statOf(join(target, path))?.isDirectory()), ...folders].map((blocker) => [
    blocker,
    `${blocker} is ${blocker === path ? 'a' : 'not a'} folder`,
  ])
}

function listOf(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join('\n')
}

/** Of `a/b/c`: `a`, `a/b`. */
export function parentsOf(path: string): string[] {
  const parent = posix.dirname(path)
  return parent === '.' ? [] : [...parentsOf(parent), parent]
}

/** Of a symlink itself, not of its target. */
export function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch (error) {
    const code = systemCodeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}
