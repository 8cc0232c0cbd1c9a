import { checkContract } from '@appfactory/sdk/testing/vitest'
import ToneTTSPlugin from '../src/index.js'

checkContract(ToneTTSPlugin)

// As built, in a process of its own.
checkContract(new URL('..', import.meta.url))
