import { withTrace } from '@appfactory/sdk'
import { expect, test, vi } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder } from '../fixtures/plugins.js'
import { writePythonPlugin } from '../fixtures/python-plugin.js'
import { findTestPython } from '../python-for-tests.js'

const python = findTestPython()

const tells = `
import asyncio
from typing import AsyncIterator
from contracts.base import PluginBase

class Tells(PluginBase):
    async def initialize(self, config): return True
    async def shutdown(self): return True
    def health_check(self): return True
    def in_thread(self): return self.trace
    async def on_loop(self):
        await asyncio.sleep(0)
        return self.trace
    async def pieces(self) -> AsyncIterator[str]:
        yield self.trace["traceparent"]
`

test.skipIf(python === undefined)(
  'a plugin in Python knows the span of each of its calls, on the loop and in a thread',
  async () => {
    vi.stubEnv('AF_PYTHON', python ?? '')
    const root = temporaryFolder()
    writePythonPlugin(root, 'tells', tells, { contract: 'tells' })
    await using host = new PluginHost({ pluginsDir: root })
    await host.load('tells')
    const trace = (digit: number) => ({ traceparent: `00-${String(digit).repeat(32)}-${'a'.repeat(16)}-01` })
    const calls = [1, 2, 3].flatMap((digit) =>
      ['in_thread', 'on_loop'].map((method) => withTrace(trace(digit), () => host.call('tells', method))),
    )
    expect(await Promise.all(calls)).toEqual([1, 1, 2, 2, 3, 3].map(trace))
    const pieces: unknown[] = []
    await withTrace(trace(4), async () => {
      for await (const piece of host.stream('tells', 'pieces')) pieces.push(piece)
    })
    expect(pieces).toEqual([trace(4).traceparent])
    expect(await host.call('tells', 'on_loop')).toBeNull()
    expect(await host.call('tells', 'in_thread')).toBeNull()
  },
)
