import { start as fork } from './fork.mjs'
import { start as jsonRpc } from './json-rpc.mjs'
import { start as mcp } from './mcp.mjs'
import { start as vscodeJsonrpc } from './vscode-jsonrpc.mjs'

/** What others would use in the project's place. */
export const peers = {
  'MCP SDK': mcp,
  'vscode-jsonrpc': vscodeJsonrpc,
  'json-rpc-2.0': jsonRpc,
  fork,
}

/** Those that have bytes as base64 in their messages. */
export const base64Peers = ['MCP SDK', 'vscode-jsonrpc', 'json-rpc-2.0']
