import type { Contract, Engine } from './answers.js'
import { commandEngines, type EngineFacts, httpEngines, sampleEngines } from './engines.js'

/** What differs between plugins of the contracts, as data. */
interface ContractFacts {
  /** The manifest's `contract`. */
  contract: string
  /** Its name in the README, with its article. */
  kind: string
  tags: readonly string[]
  /** Whether it brings a contract of its own. */
  contractFile: boolean
  /** The folder of templates that it shares with another contract. */
  shares?: string
}

const contractFacts: Record<Contract, ContractFacts> = {
  tts: { contract: 'tts', kind: 'A text-to-speech', tags: ['tts'], contractFile: false },
  stt: { contract: 'stt', kind: 'A speech-to-text', tags: ['stt'], contractFile: false },
  llm: { contract: 'llm', kind: 'A language model', tags: ['llm'], contractFile: false },
  embedding: {
    contract: 'embedding',
    kind: 'An embedding',
    tags: ['embedding'],
    contractFile: false,
    shares: 'vectors',
  },
  custom: {
    contract: 'vectors',
    kind: 'A vector',
    tags: ['vectors', 'custom-contract'],
    contractFile: true,
    shares: 'vectors',
  },
}

const engineFacts: Record<Engine, Record<Contract, EngineFacts>> = {
  sample: sampleEngines,
  http: httpEngines,
  command: commandEngines,
}

/** The facts about a plugin of that contract over that engine. */
export function factsOf(contract: Contract, engine: Engine): ContractFacts & EngineFacts {
  return { ...contractFacts[contract], ...engineFacts[engine][contract] }
}
