import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** The version of this package. */
export const { version: hostVersion }: { version: string } = require('@appfactory/host/package.json')
