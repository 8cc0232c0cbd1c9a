import { NoSuchModelError } from '@ai-sdk/provider'
import { embeddingModel } from './embedding.js'
import { languageModel } from './language.js'
import type { AppFactoryProviderSettings } from './settings.js'
import { speechModel } from './speech.js'
import { transcriptionModel } from './transcription.js'

/** The provider for either version of the specification. */
export function providerOf<Version extends 'v3' | 'v4'>(
  version: Version,
  settings: AppFactoryProviderSettings,
) {
  // Checked for callers without types: else the first call would fail, with words that do not help.
  if (typeof settings?.host?.get !== 'function')
    throw new TypeError('createAppFactory: host: must be a PluginHost: createAppFactory({ host })')
  const { host } = settings
  const language = (id: string) => languageModel(version, host, id)
  const embedding = (id: string) => embeddingModel(version, host, id)
  const speech = (id: string) => speechModel(version, host, id)
  const transcription = (id: string) => transcriptionModel(version, host, id)
  return Object.assign((id: string) => language(id), {
    specificationVersion: version,
    languageModel: language,
    ...{ embedding, embeddingModel: embedding },
    ...{ speech, speechModel: speech },
    ...{ transcription, transcriptionModel: transcription },
    imageModel: noModel,
  })
}

/** No contract makes images; the AI SDK asks every provider for them. */
function noModel(modelId: string): never {
  throw new NoSuchModelError({ modelId, modelType: 'imageModel' })
}
