export { type AppFactoryProvider, createAppFactory } from './provider.js'
export type { AppFactoryProviderSettings } from './settings.js'
