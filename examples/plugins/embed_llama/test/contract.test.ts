import { checkContract } from '@appfactory/sdk/testing/vitest'
import LlamaEmbedder from '../src/index.js'

checkContract(LlamaEmbedder)
