import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCodeOf } from '@appfactory/sdk/internal'
import { reasonOf } from '../errors.js'
import { isShortage } from '../shortage.js'
import { readSmallFile } from '../small-file.js'
import { findPackage, maxPackageBytes } from './packages.js'

/** An npm package that says that it is a plugin. */
export interface PluginPackage {
  /** Such as `@me/tts-x`. */
  name: string
  /** Its folder, as the project finds it. */
  dir: string
}

/** By this keyword a package says that it is a plugin. */
const keyword = 'appfactory-plugin'

/** So many dependencies of a project are looked at; how many are looked at side by side. */
const maxDependencies = 1000
const sideBySide = 16

const packageName = /^(@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~][\w.~-]*$/i

/** The plugins among the dependencies of a project. Only its `package.json` files are read; no code runs. */
export class ProjectPackages {
  readonly #project: string
  readonly #warn: (message: string) => void
  /** Whether a package has the keyword, by its package.json, as of the state that `stamp` tells. */
  readonly #known = new Map<string, { stamp: string; isPlugin: boolean }>()
  /** What was reported last: a file that stays broken is reported once. */
  #reported: string | undefined

  constructor(project: string, warn: (message: string) => void) {
    this.#project = project
    this.#warn = warn
  }

  /** Those that are installed, in the order of their names. Never rejects. */
  async find(): Promise<PluginPackage[]> {
    const names = await this.#dependencies()
    const found: PluginPackage[] = []
    for (let at = 0; at < names.length; at += sideBySide) {
      const some = names.slice(at, at + sideBySide).flatMap((name) => {
        const dir = findPackage(this.#project, name)
        return dir === undefined ? [] : [{ name, dir }]
      })
      const plugins = await Promise.all(some.map(({ dir }) => this.#isPlugin(join(dir, 'package.json'))))
      found.push(...some.filter((_, index) => plugins[index]))
    }
    return found
  }

  /** Development dependencies are not there where an application is installed to run. */
  async #dependencies(): Promise<string[]> {
    const file = join(this.#project, 'package.json')
    try {
      const { dependencies, optionalDependencies } = Object(await readPackage(file))
      const names = [dependencies, optionalDependencies].flatMap((list) => Object.keys(Object(list)))
      const legal = [...new Set(names)].filter((name) => packageName.test(name)).sort()
      if (legal.length > maxDependencies)
        this.#report(
          `${file} has ${legal.length} dependencies; only the first ${maxDependencies} are looked at`,
        )
      else this.#reported = undefined
      return legal.slice(0, maxDependencies)
    } catch (error) {
      const isNormal = systemCodeOf(error) === 'ENOENT' || isShortage(error)
      if (!isNormal)
        this.#report(`${file} can’t be read, so no plugins are found among npm packages: ${reasonOf(error)}`)
      return []
    }
  }

  async #isPlugin(file: string): Promise<boolean> {
    try {
      const { mtimeMs, ctimeMs, size, ino } = await stat(file)
      const stamp = [mtimeMs, ctimeMs, size, ino].join(' ')
      const known = this.#known.get(file)
      if (known?.stamp === stamp) return known.isPlugin
      const { keywords } = Object(await readPackage(file))
      const isPlugin = Array.isArray(keywords) && keywords.includes(keyword)
      this.#known.set(file, { stamp, isPlugin })
      return isPlugin
    } catch {
      // A broken package of somebody else is no plugin.
      return false
    }
  }

  #report(message: string): void {
    if (this.#reported === message) return
    this.#reported = message
    this.#warn(message)
  }
}

async function readPackage(file: string): Promise<unknown> {
  return JSON.parse(await readSmallFile(file, maxPackageBytes))
}
