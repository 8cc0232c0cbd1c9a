/// <reference types="node" preserve="true" />
export { type McpStdioOptions, serveMcp } from './stdio.js'
