import { z } from 'zod'
import { providerOptions, resultExtras } from './common.table.js'
import type { ContractDefinition } from './contract.js'
import { model } from './llm.table.js'

export const embeddingResult = z.looseObject({
  embeddings: z.array(z.array(z.number())).describe('One for each text, in the order of the texts.'),
  model: z.string().optional(),
  ...resultExtras,
})

export const embeddingModel = model.extend({
  dimensions: z.number().optional().describe('Numbers in an embedding.'),
})

export const embeddingDefinition = {
  name: 'embedding',
  version: '1.0.0',
  description: 'Text embedding',
  methods: {
    embed: {
      description: 'Converts texts to vectors.',
      parameters: ['texts'],
      args: z.strictObject({
        texts: z.array(z.string()).min(1).describe('What to embed.'),
        model: z.string().optional().describe('One of get_models. Default: the plugin’s own.'),
        dimensions: z.int().min(1).optional().describe('Numbers in an embedding. Default: the model’s own.'),
        providerOptions,
      }),
      result: embeddingResult,
      bare: 'embeddings',
      idempotent: true,
    },
    getModels: {
      description: 'Lists the models.',
      parameters: [],
      args: z.strictObject({}),
      result: z.array(embeddingModel),
      idempotent: true,
    },
  },
} as const satisfies ContractDefinition
