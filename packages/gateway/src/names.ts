/** What an alias stands for. */
export interface AliasTarget {
  /** `PLUGIN` or `PLUGIN/MODEL` */
  name: string
  voice: string | undefined
}

/** Names of plugins, as manifests may have them: nothing else is looked up. */
const pluginName = /^[a-z][a-z0-9]*([_-][a-z0-9]+)*$/
const longestName = 214

export function isPluginName(name: string): boolean {
  return name.length <= longestName && pluginName.test(name)
}

/** Reads `PLUGIN`, `PLUGIN/MODEL` and `PLUGIN?voice=NAME`, or several of these with commas between; undefined: it is none of these. */
export function aliasTargets(text: string): readonly AliasTarget[] | undefined {
  const targets = text.split(',').map((each) => aliasTarget(each.trim()))
  const plugins = targets.map((target) => split(target?.name ?? '')[0])
  const isEach = targets.every((target) => target !== undefined)
  return isEach && new Set(plugins).size === plugins.length ? targets : undefined
}

function aliasTarget(text: string): AliasTarget | undefined {
  const [name = '', query] = text.split(/\?(.*)/s, 2)
  const given = [...new URLSearchParams(query)]
  const [[key, voice] = []] = given
  if (name === '' || given.length > 1) return undefined
  if (query === undefined) return { name, voice: undefined }
  return key === 'voice' && voice ? { name, voice } : undefined
}

/** `PLUGIN/MODEL` */
export function split(id: string): [plugin: string, model: string | undefined] {
  const at = id.indexOf('/')
  return at < 0 ? [id, undefined] : [id.slice(0, at), id.slice(at + 1)]
}
