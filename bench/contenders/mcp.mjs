import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'

/** The Model Context Protocol's SDK: tools over stdio. */
export async function start() {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [fileURLToPath(new URL('../children/mcp.mjs', import.meta.url))],
  })
  const client = new Client({ name: 'bench', version: '1.0.0' })
  await client.connect(transport)
  return {
    pid: transport.pid,
    call: (text) => client.callTool({ name: 'echo', arguments: { text } }),
    bytes: async () => {
      const { content } = await client.callTool({ name: 'audio', arguments: {} })
      return Buffer.from(content[0].data, 'base64')
    },
    stop: () => client.close(),
  }
}
