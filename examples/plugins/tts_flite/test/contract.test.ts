import { checkContract } from '@appfactory/sdk/testing/vitest'
import FlitePlugin from '../src/index.js'

checkContract(FlitePlugin)

// As built, in a process of its own.
checkContract(new URL('..', import.meta.url))
