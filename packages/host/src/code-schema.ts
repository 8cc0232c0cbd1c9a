import type { JsonSchema } from '@appfactory/sdk'
import { manifestInvalid } from './errors.js'
import { Instance } from './instance/instance.js'
import { defaultInstanceLimits } from './options.js'
import type { DiscoveredPlugin } from './plugins/discovery.js'
import { pluginEnvironment } from './plugins/environment.js'

/**
 * The JSON Schema of the `static configSchema` of a plugin's class, or undefined where it has none. The plugin's process is
 * started for the question only, and not initialized.
 *
 * @throws PluginError MANIFEST_INVALID, PLUGIN_LOAD_FAILED, DEPENDENCY_MISSING or CONTRACT_MISMATCH; CONFIG_INVALID where the
 *   schema can't be expressed as a JSON Schema.
 */
export async function codeSchemaOf(plugin: DiscoveredPlugin): Promise<JsonSchema | undefined> {
  const { dir, name, valid, errors, manifest, entryFile } = plugin
  if (!valid || !manifest || !entryFile) throw manifestInvalid(name, dir, errors)
  return Instance.codeSchemaOf({
    ...{ dir, manifest, entryFile },
    limits: defaultInstanceLimits,
    env: pluginEnvironment(name, {}),
    configure: (): never => {
      throw new Error('Nothing is initialized for a schema')
    },
    log: () => {},
  })
}
