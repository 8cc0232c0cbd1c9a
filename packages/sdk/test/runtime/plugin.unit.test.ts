import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { AnyPlugin } from '../../src/contracts/base.js'
import { describeContract } from '../../src/contracts/describe.js'
import { ttsDefinition } from '../../src/contracts/tts.table.js'
import { PluginError, TTSContract } from '../../src/index.js'
import type { PluginClass } from '../../src/runtime/load.js'
import {
  capabilitiesOf,
  captureState,
  checkContract,
  checkMethods,
  construct,
  healthOf,
  initialize,
  restoreState,
} from '../../src/runtime/plugin.js'

// The stack of an error that nobody foresaw goes to the log.
beforeEach(() => void vi.spyOn(console, 'error').mockImplementation(() => {}))
afterEach(() => void vi.restoreAllMocks())

const manifest = {
  ...{ name: 'one', version: '1.0.0', contract: 'tts', entry_point: 'index.js' },
  ...{ runtime: 'node' as const, dependencies: [] },
}

class Speaker extends TTSContract {
  given: unknown[] = []
  initialize(config: Record<string, unknown>): void {
    this.given.push(config)
  }
  shutdown(): void {}
  healthCheck(): { status: never } {
    return { status: 'READY' as never }
  }
  synthesize(): Uint8Array {
    return new Uint8Array()
  }
  getVoices(): [] {
    return []
  }
}

const speakerClass = Speaker as unknown as PluginClass

/** A plugin with these members beside, or in place of, its own. */
function pluginWith(members: object = {}): AnyPlugin {
  return Object.assign(construct(speakerClass, manifest), members)
}

const tts = describeContract(ttsDefinition)

test('a class of another contract than its manifest says is refused', () => {
  expect(() => checkContract(speakerClass, 'tts')).not.toThrow()
  expect(() => checkContract(speakerClass, 'stt')).toThrow(
    expect.objectContaining({ codeName: 'CONTRACT_MISMATCH' }),
  )
})

test.each(['initialize', 'shutdown', 'healthCheck', 'synthesize'])(
  'a plugin without %s() is refused, and told of it',
  async (name) => {
    expect(() => checkMethods(pluginWith(), tts)).not.toThrow()
    expect(() => checkMethods(pluginWith({ [name]: 'no function' }), tts)).toThrow(
      expect.objectContaining({ codeName: 'CONTRACT_MISMATCH', data: { missing: [name] } }),
    )
  },
)

test('a method that the contract does not require may be missing', async () => {
  const optional = tts.methods.filter(({ required }) => !required).map(({ name }) => name)
  expect(optional.length).toBeGreaterThan(0)
  const without = Object.fromEntries(optional.map((name) => [name, undefined]))
  expect(checkMethods(pluginWith(without), tts)).toBeUndefined()
})

describe('the constructor', () => {
  test('makes a plugin that knows its manifest', () => {
    expect(pluginWith().name).toBe('one')
  })

  test('that throws is PLUGIN_LOAD_FAILED, with its reason', () => {
    class Broken extends Speaker {
      override given = ((): never => {
        throw new Error('no engine')
      })()
    }
    expect(() => construct(Broken as unknown as PluginClass, manifest)).toThrow(
      expect.objectContaining({
        ...{ codeName: 'PLUGIN_LOAD_FAILED', message: expect.stringContaining('no engine') },
        data: { place: expect.stringContaining('plugin.unit.test.ts') },
      }),
    )
  })
})

test('capabilities are what the author wrote, and state where it can go both ways', async () => {
  const own = ['synthesize', 'get_voices']
  expect(capabilitiesOf(speakerClass, pluginWith(), tts)).toEqual(own)
  const both = { captureState: () => {}, restoreState: () => {} }
  expect(capabilitiesOf(speakerClass, pluginWith(both), tts)).toEqual([...own, 'state'])
  expect(capabilitiesOf(speakerClass, pluginWith({ captureState: () => {} }), tts)).toEqual(own)
  expect(capabilitiesOf(speakerClass, pluginWith({ restoreState: () => {} }), tts)).toEqual(own)
  class Child extends Speaker {}
  expect(capabilitiesOf(Child as unknown as PluginClass, pluginWith(), tts)).toEqual(own)
})

describe('initialize()', () => {
  test('gets the configuration', async () => {
    const plugin = pluginWith()
    await initialize(plugin, speakerClass, { speed: 2 })
    await initialize(plugin, undefined, { speed: 3 })
    expect(Reflect.get(plugin, 'given')).toEqual([{ speed: 2 }, { speed: 3 }])
  })

  test('that returns false, or throws, is PLUGIN_INITIALIZE_FAILED', async () => {
    for (const fail of [() => false, () => Promise.reject(new Error('initialize() broke'))])
      await expect(initialize(pluginWith({ initialize: fail }), speakerClass, {})).rejects.toMatchObject({
        ...{ codeName: 'PLUGIN_INITIALIZE_FAILED', message: expect.stringContaining('initialize()') },
        data: { place: expect.any(String) },
      })
  })

  test('keeps an error of its own', async () => {
    const error = new PluginError('CONFIG_INVALID', 'no such voice')
    const plugin = pluginWith({ initialize: () => Promise.reject(error) })
    await expect(initialize(plugin, speakerClass, {})).rejects.toBe(error)
  })
})

describe('healthCheck()', () => {
  test('may say only its status', async () => {
    const health = await healthOf(pluginWith())
    expect(health).toEqual({
      ...{ status: 'READY', message: '', details: {}, latency_ms: null, memory_mb: expect.any(Number) },
    })
    expect(health.memory_mb).toBeGreaterThan(1)
    expect(health.memory_mb).toBeLessThan(100_000)
  })

  test('may say all', async () => {
    const said = { status: 'BUSY', message: 5, details: { a: 1 }, latencyMs: 2, memoryMb: 0 }
    expect(await healthOf(pluginWith({ healthCheck: async () => said }))).toEqual({
      ...{ status: 'BUSY', message: '5', details: { a: 1 }, latency_ms: 2, memory_mb: 0 },
    })
  })

  test.each([undefined, null, {}, { status: 'FINE' }, { status: undefined }])(
    'that says %j says nothing',
    async (said) => {
      await expect(healthOf(pluginWith({ healthCheck: () => said }))).rejects.toMatchObject({
        ...{ codeName: 'INTERNAL_ERROR', data: { plugin: 'one', method: 'health_check' } },
      })
    },
  )
})

describe('state', () => {
  test('goes out and in', async () => {
    const restored: unknown[] = []
    const plugin = pluginWith({
      captureState: () => ({ bytes: Uint8Array.of(1) }),
      restoreState: (state: unknown) => restored.push(state),
    })
    const state = await captureState(plugin, { max_bytes: 1000 })
    expect(state.bytes).toHaveLength(1)
    expect(await restoreState(plugin, state)).toBe(true)
    expect(restored).toEqual([{ bytes: Uint8Array.of(1) }])
    await expect(captureState(plugin, { max_bytes: 1 })).rejects.toMatchObject({
      codeName: 'RESOURCE_EXHAUSTED',
    })
  })

  test('of a plugin without any is METHOD_NOT_FOUND', async () => {
    const missing = { codeName: 'METHOD_NOT_FOUND' }
    await expect(captureState(pluginWith(), { max_bytes: 1000 })).rejects.toMatchObject(missing)
    await expect(restoreState(pluginWith(), { state: 1, bytes: [] })).rejects.toMatchObject(missing)
  })

  test('that the author fails with is HOTSWAP_FAILED, or what the author says', async () => {
    const broken = pluginWith({ captureState: () => Promise.reject(new Error('torn')) })
    await expect(captureState(broken, { max_bytes: 1000 })).rejects.toMatchObject({
      ...{
        codeName: 'HOTSWAP_FAILED',
        message: expect.stringContaining('captureState() of one failed: torn'),
      },
      data: { place: expect.any(String) },
    })
    const own = new PluginError('STT_AUDIO_INVALID')
    await expect(
      captureState(pluginWith({ captureState: () => Promise.reject(own) }), { max_bytes: 1000 }),
    ).rejects.toBe(own)
  })
})
