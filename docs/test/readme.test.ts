import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { testDocument } from './document.js'
import { root } from './reader.js'

if (existsSync(join(root, 'README.md'))) testDocument('README.md')
else describe('README.md', () => it.todo('is not there yet'))
