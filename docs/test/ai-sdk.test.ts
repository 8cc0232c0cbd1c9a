import { testDocument } from './document.js'

testDocument('docs/ai-sdk.md')
