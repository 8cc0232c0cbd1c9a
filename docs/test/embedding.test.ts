import { testDocument } from './document.js'

testDocument('docs/embedding.md')
