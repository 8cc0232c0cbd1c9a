import { testDocument } from './document.js'

testDocument('docs/python-environments.md')
