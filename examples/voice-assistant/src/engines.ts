import type { PluginHost, PluginSummary } from '@appfactory/host'
import { isPluginError, LLMContract, PluginError, STTContract, TTSContract } from '@appfactory/sdk'
import type { Arguments } from './arguments.js'
import type { Engines } from './assistant.js'

/**
 * Loads the plugins of a conversation, in whatever language they are written.
 *
 * @throws PluginError as `host.load()`; where there is no such plugin, its message names those that there are.
 */
export async function loadEngines(host: PluginHost, { voice, ears }: Arguments): Promise<Engines> {
  const [tts, stt, llm] = await Promise.all([
    named('--voice', 'tts', host, host.load(TTSContract, voice)),
    named('--ears', 'stt', host, host.load(STTContract, ears)),
    host.load(LLMContract, 'llm_llama'),
  ])
  const voices = (await tts.getVoices()).map(({ id }) => id)
  return {
    tts,
    stt,
    llm,
    // Flite's `rms` is the voice that PocketSphinx hears best.
    userVoice: voices.includes('rms') ? 'rms' : (voices[1] ?? voices[0]),
    assistantVoice: voices[0],
  }
}

/** The first call loads an engine's model; a user should not have to wait for it. */
export async function warmUp({ tts, stt, llm }: Engines): Promise<void> {
  await Promise.all([tts.synthesize('hello'), stt.getLanguages(), llm.complete('hello', { maxTokens: 1 })])
}

async function named<Handle>(
  option: string,
  contract: string,
  host: PluginHost,
  loading: Promise<Handle>,
): Promise<Handle> {
  try {
    return await loading
  } catch (error) {
    if (!isPluginError(error)) throw error
    const unknown = error.codeName === 'PLUGIN_NOT_FOUND' || error.codeName === 'CONTRACT_MISMATCH'
    const choice = unknown ? `; ${option} can be ${namesOf(contract, await host.list())}` : ''
    throw new PluginError(error.code, `${option}: ${error.message}${choice}`, error.data, { cause: error })
  }
}

function namesOf(contract: string, plugins: readonly PluginSummary[]): string {
  return plugins
    .filter((plugin) => plugin.contract === contract)
    .map(({ name }) => name)
    .join(', ')
}
