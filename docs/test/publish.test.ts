import { testDocument } from './document.js'

testDocument('docs/publish.md')
