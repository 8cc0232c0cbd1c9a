import { createHash } from 'node:crypto'
import { dirname, join, relative, resolve } from 'node:path'
import type { Manifest, PluginError } from '@appfactory/sdk'
import { systemCodeOf } from '@appfactory/sdk/internal'
import { reasonOf, requirementInvalid, requirementsUnreadable } from '../errors.js'
import { isShortage } from '../shortage.js'
import { readSmallFile } from '../small-file.js'
import { longestRequirement, normalName, parseRequirement, type Requirement } from './requirement.js'

/** What a plugin needs: its `requirements.txt`, and what its manifest names besides. */
export interface Requirements {
  /** All whose names are known. */
  named: readonly Requirement[]
  /** Whether there is a `requirements.txt`. */
  hasFile: boolean
  /** Those of the manifest that the file does not name, as pip takes them. */
  besides: readonly string[]
  /** Folders and addresses whose packages have no names until they are built. */
  unnamed: readonly string[]
  /** What runs code when it is installed, whatever pip's options say. */
  runsCode: readonly string[]
  /** Changes with any of them. */
  digest: string
}

export const requirementsFile = 'requirements.txt'

/** Options that choose where wheels come from, and never that something is built. pip takes others shortened, too. */
const harmless =
  /^(-[if].*|--(index-url|extra-index-url|no-index|find-links|trusted-host|pre|prefer-binary|require-hashes))$/

/** What pip takes for the end of a line, and the host does not, or for characters that the host does not see. */
const ambiguous = /[\v\f\u0085\u2028\u2029\ufffd]|\p{Cc}(?<![\t\n\r])|\r(?!\n)/u
/** In the first two lines it names another encoding than UTF-8, which pip follows. */
const cookie = /^(?:[^\n]*\n)?[^\n]*coding[:=]\s*(?!utf-?8\s)/i

const maxFileBytes = 1024 * 1024
/** So many files may be included, in all. */
const maxFiles = 50

/**
 * Reads what a plugin needs. Where both name a package, the file decides.
 *
 * @throws PluginError PLUGIN_LOAD_FAILED that names the file and the line. An Error with a `code` where the system lacks files.
 */
export async function readRequirements(dir: string, manifest: Manifest): Promise<Requirements> {
  const reader = new Reader(dir, manifest.name)
  const hasFile = await reader.read(join(dir, requirementsFile), undefined)
  const inFile = new Set(reader.named.map(({ name }) => name))
  const besides = manifest.dependencies
    .map((text) => parsed(manifest.name, 'dependencies of manifest.json', text))
    .filter(({ name }) => !inFile.has(name))
  return {
    named: [...reader.named, ...besides],
    hasFile,
    besides: besides.map(({ text }) => text),
    unnamed: reader.unnamed,
    runsCode: [...reader.runsCode, ...besides.map(({ text }) => text).filter(isBuilt)],
    digest: createHash('sha256')
      .update(JSON.stringify([reader.texts, besides]))
      .digest('hex'),
  }
}

function parsed(plugin: string, where: string, text: string): Requirement {
  const requirement = parseRequirement(text)
  if (requirement) return requirement
  throw notRead(plugin, where, text)
}

function notRead(plugin: string, where: string, text: string): PluginError {
  return requirementInvalid(plugin, where, text, 'such as numpy>=1.24,<3')
}

/** Reads files of pip's format that include one another. */
class Reader {
  readonly named: Requirement[] = []
  readonly unnamed: string[] = []
  readonly runsCode: string[] = []
  readonly texts: string[] = []
  readonly #files = new Set<string>()
  readonly #dir: string
  readonly #plugin: string

  constructor(dir: string, plugin: string) {
    this.#dir = dir
    this.#plugin = plugin
  }

  /**
   * @param includedBy Undefined: the file need not be there.
   * @returns whether it is.
   */
  async read(file: string, includedBy: string | undefined, isConstraint = false): Promise<boolean> {
    const key = `${isConstraint ? '-c' : '-r'} ${file}`
    if (this.#files.has(key)) return true
    if (this.#files.size === maxFiles)
      throw requirementsUnreadable(
        this.#plugin,
        includedBy ?? file,
        `it includes more than ${maxFiles} files`,
      )
    const text = await this.#textOf(file, includedBy)
    if (text === undefined) return false
    this.#files.add(key)
    this.texts.push(text)
    if (ambiguous.test(text) || cookie.test(text))
      this.runsCode.push(`${relative(this.#dir, file)}, by its encoding or line breaks,`)
    for (const { line, number } of logicalLines(text)) {
      const where = `${relative(this.#dir, file)}, line ${number}`
      if (line.startsWith('-')) await this.#takeOption(line, file, where)
      else this.#takeRequirement(line, where, isConstraint)
    }
    return true
  }

  async #textOf(file: string, includedBy: string | undefined): Promise<string | undefined> {
    try {
      return await readSmallFile(file, maxFileBytes)
    } catch (error) {
      if (isShortage(error)) throw error
      if (includedBy === undefined && systemCodeOf(error) === 'ENOENT') return undefined
      const reason = reasonOf(error)
      throw requirementsUnreadable(this.#plugin, file, includedBy ? `${reason} (${includedBy})` : reason)
    }
  }

  #takeRequirement(line: string, where: string, isConstraint: boolean): void {
    const text = line.replace(/\s--.*$/, '').trim()
    if (text.length > longestRequirement) throw notRead(this.#plugin, where, text)
    if (isBuilt(text)) this.runsCode.push(text)
    if (isConstraint) return
    if (isAddress(text)) this.#takeAddress(text)
    else this.named.push(parsed(this.#plugin, where, text))
  }

  async #takeOption(line: string, file: string, where: string): Promise<void> {
    const [, option = '', value = ''] = /^(--[a-z-]+|-[a-z])\s*=?\s*(.*)$/i.exec(line) ?? []
    const isConstraint = option === '-c' || option === '--constraint'
    if ((isConstraint || option === '-r' || option === '--requirement') && !/^\w+:\/\//.test(value)) {
      await this.read(resolve(dirname(file), value), where, isConstraint)
      return
    }
    if (option === '-e' || option === '--editable') this.unnamed.push(value)
    if (!optionsOf(line).every((one) => harmless.test(one))) this.runsCode.push(line)
  }

  /** A wheel's name begins with that of its package; `#egg=` gives it, too. */
  #takeAddress(text: string): void {
    const [, egg] = /#egg=([\w.-]+)/.exec(text) ?? []
    const [, wheel] = /([^\\/]+?)-[^\\/]*\.whl(?:[#?]|$)/.exec(text) ?? []
    const name = egg ?? wheel
    if (name === undefined) this.unnamed.push(text)
    else this.named.push({ text, name: normalName(name), extras: [], specifiers: '', marker: '' })
  }
}

/** The words of a line that are options once quotes are gone. */
function optionsOf(line: string): string[] {
  const words = line.replaceAll(/["'\\]/g, '').split(/\s+/)
  return words.filter((word) => word.startsWith('-')).map((word) => word.replace(/=.*$/, ''))
}

/** Lines without comments, those that end with a backslash joined with the next one. */
function* logicalLines(text: string): Generator<{ line: string; number: number }> {
  let joined: string[] = []
  let begun = 1
  for (const [index, raw] of `${text}\n`.split(/\r?\n/).entries()) {
    if (joined.length === 0) begun = index + 1
    const isComment = /^\s*#/.test(raw)
    if (raw.endsWith('\\') && !isComment) {
      joined.push(raw.slice(0, -1))
      continue
    }
    joined.push(isComment ? ` ${raw}` : raw)
    const line = joined
      .join('')
      .replace(/(^|\s)#.*$/s, '')
      .trim()
    joined = []
    if (line !== '') yield { line, number: begun }
  }
}

/** A path or a URL, with no name before it. */
function isAddress(text: string): boolean {
  if (/^[a-z0-9][\w.-]*\s*(\[[^\]]*\])?\s*@/i.test(text)) return false
  const address = text.replace(/\s;.*$/, '')
  return /^[.~]|\.(whl|zip|tgz|tar\.\w+)$|:\/\/|^[a-z]:\\/i.test(address) || /^[^;'"]*[\\/]/.test(address)
}

/** Whether installing it builds it, which runs its code: folders, archives and repositories, and anything but a wheel. */
function isBuilt(text: string): boolean {
  const [, address] = /^[a-z0-9][\w.-]*\s*(?:\[[^\]]*\])?\s*@\s*(.*)$/i.exec(text) ?? []
  const path = address ?? (isAddress(text) ? text : undefined)
  return (
    path !== undefined &&
    !/\.whl$/i.test(
      path
        .replace(/\s;.*$/, '')
        .replace(/[#?].*$/, '')
        .trim(),
    )
  )
}
