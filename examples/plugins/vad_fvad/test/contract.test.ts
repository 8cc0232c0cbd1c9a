import { checkContract } from '@appfactory/sdk/testing/vitest'
import FvadPlugin from '../src/index.js'

checkContract(FvadPlugin)

// As built, in a process of its own.
checkContract(new URL('..', import.meta.url))
