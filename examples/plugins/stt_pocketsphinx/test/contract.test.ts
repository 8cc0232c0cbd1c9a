import { checkContract } from '@appfactory/sdk/testing/vitest'

// As built, in a process of its own.
checkContract(new URL('..', import.meta.url))
