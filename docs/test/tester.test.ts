import { testDocument } from './document.js'

testDocument('docs/tester.md')
