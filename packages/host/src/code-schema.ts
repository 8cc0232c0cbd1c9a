import type { JsonSchema } from '@appfactory/sdk'
import type { DiscoveredPlugin } from './discovery.js'
import { pluginEnvironment } from './environment.js'
import { Instance } from './instance.js'
import { defaultInstanceLimits } from './limits.js'
import { manifestInvalid } from './messages.js'

/** Ends a start that has served its purpose. */
const enough = new Error('The schema is known')

/**
 * The JSON Schema of the `static configSchema` of a plugin's class, or undefined where it has none. The plugin's process is
 * started for the question only, and not initialized.
 *
 * @throws PluginError MANIFEST_INVALID, PLUGIN_LOAD_FAILED, DEPENDENCY_MISSING or CONTRACT_MISMATCH.
 */
export async function codeSchemaOf(plugin: DiscoveredPlugin): Promise<JsonSchema | undefined> {
  const { dir, name, valid, errors, manifest, entryFile } = plugin
  if (!valid || !manifest || !entryFile) throw manifestInvalid(name, dir, errors)
  // Without one in the manifest, the handshake brings that of the code.
  const { config_schema: _written, ...rest } = manifest
  let schema: JsonSchema | undefined
  const configure = (found: JsonSchema | undefined): never => {
    schema = found
    throw enough
  }
  const options = {
    dir,
    manifest: rest,
    entryFile,
    limits: defaultInstanceLimits,
    env: pluginEnvironment(name, []),
    configure,
    log: () => {},
  }
  await Instance.start(options).catch((error: unknown) => {
    if (error !== enough) throw error
  })
  return schema
}
