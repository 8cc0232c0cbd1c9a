/** What a model's id names. */
export interface ModelId {
  /** The id as it was given. */
  id: string
  /** Name of the plugin. */
  plugin: string
  /** The model inside the plugin; undefined: the plugin's own default. */
  model: string | undefined
}

/** Reads `plugin` or `plugin/model`. The model may have slashes of its own: a plugin's name has none. */
export function parseModelId(id: string): ModelId {
  const slash = id.indexOf('/')
  if (slash === -1) return { id, plugin: id, model: undefined }
  return { id, plugin: id.slice(0, slash), model: id.slice(slash + 1) || undefined }
}
