import type { WireArgs } from '../options.js'
import type { Slot } from '../slot/slot.js'
import type { FallbackPlugin } from './options.js'
import type { Standing } from './standing.js'

/** Arguments that name something of a plugin’s own. */
const named = { voice_id: 'voices', model: 'models' } as const

/** One of the plugins of a fallback, loaded or not. */
export class Member {
  readonly plugin: string
  readonly standing: Standing
  readonly #given: FallbackPlugin
  readonly #find: (plugin: string) => Slot | undefined

  constructor(given: FallbackPlugin, find: (plugin: string) => Slot | undefined, standing: Standing) {
    this.plugin = given.plugin
    this.standing = standing
    this.#given = given
    this.#find = find
  }

  /** Undefined: it is not loaded. A plugin that was swapped for another is found by its old name. */
  get slot(): Slot | undefined {
    return this.#find(this.plugin)
  }

  /** Whether it would take a call at once. */
  get isUp(): boolean {
    return this.slot?.places.serving !== undefined
  }

  /** Whether it comes first among those that are tried. */
  get isInLine(): boolean {
    return !this.standing.isAway && this.isUp
  }

  /** The arguments as this plugin calls its voices and models. */
  argsOf(method: string, args: WireArgs): WireArgs {
    const { voices, models, defaults } = this.#given
    if (!voices && !models && !defaults) return args
    const own: WireArgs = { ...args, ...this.#defaultsOf(method, args) }
    for (const [argument, key] of Object.entries(named)) {
      const asked = args[argument]
      if (typeof asked === 'string') own[argument] = nameIn(this.#given[key], asked)
    }
    return own
  }

  /** The defaults of those arguments that the method has and the caller has not given; null counts as absent. */
  #defaultsOf(method: string, args: WireArgs): WireArgs {
    const described = this.slot?.contract?.methods.find(({ wire }) => wire === method)
    const known = Object(described?.args['properties'])
    return Object.fromEntries(
      Object.entries(this.#given.defaults ?? {}).filter(
        ([name]) => Object.hasOwn(known, name) && (args[name] ?? null) === null,
      ),
    )
  }
}

function nameIn(names: Readonly<Record<string, string>> = {}, asked: string): string {
  if (Object.hasOwn(names, asked)) return names[asked] ?? asked
  return names['*'] ?? asked
}
