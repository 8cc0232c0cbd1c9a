import { testDocument } from './document.js'

testDocument('docs/python.md')
