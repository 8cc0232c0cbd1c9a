import type { PluginSystem } from '@appfactory/host'

/** What the provider stands on. */
export interface AppFactoryProviderSettings {
  /** The host whose plugins are the models. It is yours: close it yourself. */
  host: PluginSystem
}
