import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { z } from 'zod'
import { audio } from './audio.mjs'

const server = new McpServer({ name: 'echo', version: '1.0.0' })
server.registerTool('echo', { inputSchema: { text: z.string() } }, ({ text }) => ({
  content: [{ type: 'text', text }],
}))
server.registerTool('audio', { inputSchema: {} }, () => ({
  content: [{ type: 'audio', data: audio.toString('base64'), mimeType: 'audio/wav' }],
}))
await server.connect(new StdioServerTransport())
process.stdin.on('end', () => process.exit(0))
