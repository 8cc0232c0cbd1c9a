import { testDocument } from './document.js'

testDocument('docs/guide.md')
