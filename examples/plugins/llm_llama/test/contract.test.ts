import { checkContract } from '@appfactory/sdk/testing/vitest'
import LlamaPlugin from '../src/index.js'

checkContract(LlamaPlugin)

// As built, in a process of its own.
checkContract(new URL('..', import.meta.url))
