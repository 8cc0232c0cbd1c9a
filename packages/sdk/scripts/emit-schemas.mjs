// After tsc: writes what is made from the tables and shipped as data (contracts and manifest as JSON).
import { writeFileSync } from 'node:fs'
import {
  describeContract,
  embeddingDefinition,
  llmDefinition,
  sttDefinition,
  ttsDefinition,
} from '../dist/contracts/registry.js'
import { manifestJsonSchema } from '../dist/manifest.js'

for (const definition of [ttsDefinition, sttDefinition, llmDefinition, embeddingDefinition]) {
  writeJson(`contracts/${definition.name}.json`, describeContract(definition))
}
writeJson('manifest.schema.json', manifestJsonSchema())

function writeJson(path, value) {
  writeFileSync(new URL(`../dist/${path}`, import.meta.url), `${JSON.stringify(value, null, 2)}\n`)
}
