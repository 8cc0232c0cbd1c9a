import { Buffer } from 'node:buffer'
import { expect, test, vi } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder } from '../fixtures/plugins.js'
import { writePythonPlugin } from '../fixtures/python-plugin.js'
import { findTestPython } from '../python-for-tests.js'

const python = findTestPython()

const echo = `
from typing import AsyncIterator
from contracts.base import PluginBase

class Echo(PluginBase):
    async def initialize(self, config): return True
    async def shutdown(self): return True
    def health_check(self): return True
    def open(self, size: int): return {"raw": bytes(size), "list": [bytes(size)]}
    def alone(self, size: int) -> bytes: return bytes(size)
    async def pieces(self, size: int) -> AsyncIterator[bytes]: yield bytes(size)
    async def open_pieces(self, size: int): yield {"raw": bytes(size)}
`

type Echo = Record<string, (size: number) => unknown>

test.skipIf(python === undefined)(
  'large bytes of a method whose schema says nothing of them reach a handle as small ones do',
  async () => {
    vi.stubEnv('AF_PYTHON', python ?? '')
    const root = temporaryFolder()
    writePythonPlugin(root, 'echo', echo, { contract: 'echo' })
    await using host = new PluginHost({ pluginsDir: root })
    const plugin = (await host.load('echo')) as unknown as Echo
    for (const size of [2047, 2048]) {
      const text = Buffer.alloc(size).toString('base64')
      expect(await plugin['open']?.(size)).toEqual({ raw_b64: text, list: [{ _b64: text }] })
      expect(await plugin['alone']?.(size)).toEqual(new Uint8Array(size))
      expect(await all(plugin['pieces']?.(size))).toEqual([new Uint8Array(size)])
      expect(await all(plugin['openPieces']?.(size))).toEqual([{ raw_b64: text }])
    }
  },
)

async function all(pieces: unknown): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const piece of pieces as AsyncIterable<unknown>) found.push(piece)
  return found
}
