/// <reference types="node" preserve="true" />
export { describeContract, wireSchema } from './describe.js'
export { embeddingDefinition } from './embedding.table.js'
export { llmDefinition } from './llm.table.js'
export { readShippedContract, shippedContracts } from './shipped.js'
export { sttDefinition } from './stt.table.js'
export { ttsDefinition } from './tts.table.js'
