import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compileCodec } from '../../src/codec/compile.js'
import { embeddingDefinition } from '../../src/contracts/embedding.table.js'
import { llmDefinition } from '../../src/contracts/llm.table.js'
import { describeContract } from '../../src/contracts/registry.js'
import { sttDefinition } from '../../src/contracts/stt.table.js'
import { ttsDefinition } from '../../src/contracts/tts.table.js'

const table = JSON.parse(
  readFileSync(new URL('../../../python/tests/issues.json', import.meta.url), 'utf8'),
) as { contract: string; method: string; args: unknown; issues: unknown }[]

const methods = new Map(
  [ttsDefinition, sttDefinition, llmDefinition, embeddingDefinition]
    .map((definition) => describeContract(definition))
    .flatMap(({ name, methods }) => methods.map((method) => [`${name}.${method.wire}`, method.args])),
)

// The Python runtime has the same test: an author reads the same words in both languages.
describe('the table of issues that Python words too', () => {
  it.each(table)('holds for $contract.$method of $args', ({ contract, method, args, issues }) => {
    const schema = methods.get(`${contract}.${method}`) ?? {}
    expect(compileCodec(schema, 'decode')(args).issues).toEqual(issues)
  })
})
