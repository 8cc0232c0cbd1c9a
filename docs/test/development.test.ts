import { testDocument } from './document.js'

testDocument('docs/development.md')
