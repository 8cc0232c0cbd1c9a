import { testDocument } from './document.js'

testDocument('docs/create.md')
