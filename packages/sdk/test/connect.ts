import { PassThrough } from 'node:stream'
import type { Manifest, PluginBase } from '@appfactory/sdk'
import { contractBindingOf } from '@appfactory/sdk'
import {
  type CallParams,
  Peer,
  pluginMethods,
  type RequestOptions,
  streamWindow,
} from '@appfactory/sdk/internal'
import { setManifest } from '../dist/contracts/base.js'
import { Dispatcher } from '../dist/runtime/dispatch.js'

type Args = Record<string, unknown>

/** A plugin behind a real connection: called by wire names, with arguments and results as they are on the wire. */
export async function connect(pluginClass: new () => PluginBase<never>, manifest: Partial<Manifest> = {}) {
  const plugin = new pluginClass()
  const binding = contractBindingOf(pluginClass)
  if (!binding) throw new Error('not a plugin class')
  setManifest(plugin, {
    name: 'test_plugin',
    version: '1.0.0',
    contract: binding.name,
    entry_point: 'index.js',
    runtime: 'node',
    dependencies: [],
    ...manifest,
  })
  const dispatcher = new Dispatcher(plugin, binding, await binding.describe())
  const [toPlugin, toHost] = [new PassThrough(), new PassThrough()]
  new Peer({
    input: toPlugin,
    output: toHost,
    handle: (call) => {
      const { method, args, stream } = call.params as unknown as CallParams
      return dispatcher.call(method, args, stream, call)
    },
  })
  const host = new Peer({ input: toHost, output: toPlugin, handle: () => undefined })
  return {
    plugin,
    call: (method: string, args: Args = {}, options?: RequestOptions): Promise<unknown> =>
      host.request(pluginMethods.call, { method, args }, options),
    stream: (method: string, args: Args = {}, options?: RequestOptions): AsyncIterableIterator<unknown> =>
      host.stream(pluginMethods.call, { method, args, stream: { credit: streamWindow } }, options),
  }
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
