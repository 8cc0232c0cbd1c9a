import { testDocument } from './document.js'

testDocument('docs/protocol.md')
