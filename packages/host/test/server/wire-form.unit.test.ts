import { PluginStatus } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import type { PluginHost } from '../../src/host.js'
import {
  wireDescription,
  wireDiscovered,
  wireHealth,
  wireMembers,
  wireStatus,
  wireSummary,
  wireSwap,
} from '../../src/server/wire-form.js'

const manifest = {
  ...{ name: 'one', version: '1.0.0', contract: 'tts', entry_point: 'index.js' },
  ...{ runtime: 'node' as const, dependencies: [] },
}

/** A host that can do only what a test needs of it. */
function hostThat(can: object): PluginHost {
  return can as PluginHost
}

test('members of events go in snake_case, their values as they are', () => {
  const details = { plugin: 'one', delayMs: 5, lastError: { codeName: 'X' } }
  expect(wireMembers(details)).toEqual({ plugin: 'one', delay_ms: 5, last_error: { codeName: 'X' } })
})

test('the figures of the host lose none', () => {
  const figures = {
    ...{ version: '1', uptimeSeconds: 2, pluginsLoaded: 3, pluginsTotal: 4 },
    ...{ requestsProcessed: 5, errors: 6, memoryMb: 7 },
  }
  expect(wireStatus(hostThat({ status: () => figures }))).toEqual({
    ...{ version: '1', uptime_seconds: 2, plugins_loaded: 3, plugins_total: 4 },
    ...{ requests_processed: 5, errors: 6, memory_mb: 7 },
  })
})

test('a plugin without a manifest that can be read is found, with null in its place', () => {
  const found = { name: 'one', dir: '/one', warnings: ['old'] }
  const wire = { name: 'one', path: '/one', warnings: ['old'] }
  const good = wireDiscovered({ ...found, valid: true, errors: [], manifest, entryFile: '/one/index.js' })
  expect(good).toEqual({ ...wire, valid: true, errors: [], manifest })
  const broken = wireDiscovered({ ...found, valid: false, errors: ['no name'] })
  expect(broken).toEqual({ ...wire, valid: false, errors: ['no name'], manifest: null })
})

test('a summary goes whole', () => {
  const summary = {
    ...{
      name: 'one',
      displayName: 'One',
      version: '1.0.0',
      contract: 'tts',
      description: null,
      author: null,
    },
    ...{
      path: '/one',
      valid: true,
      errors: [],
      loaded: true,
      replicas: 1,
      status: PluginStatus.READY,
      capabilities: [],
    },
  }
  const { displayName, ...rest } = summary
  expect(wireSummary(summary)).toEqual({ ...rest, display_name: displayName })
})

test('a health that leaves out what it may is filled in, and figures of 0 stay', () => {
  const empty = { message: '', details: {}, latency_ms: null, memory_mb: null }
  expect(wireHealth({ status: PluginStatus.READY })).toEqual({ status: 'READY', ...empty })
  const full = { message: 'warm', details: { a: 1 } }
  expect(wireHealth({ status: PluginStatus.READY, ...full, latencyMs: 0, memoryMb: 0 })).toEqual({
    ...{ status: 'READY', ...full },
    ...{ latency_ms: 0, memory_mb: 0 },
  })
})

test('a swap that succeeded says so, and what came of it', () => {
  const result = {
    ...{ oldPlugin: 'one', newPlugin: 'two', oldVersion: null, newVersion: '2.0.0' },
    ...{ statePreserved: true, durationMs: 12, heldCalls: 3 },
  }
  expect(wireSwap(result)).toEqual({
    ...{ success: true, old_plugin: 'one', new_plugin: 'two', old_version: null, new_version: '2.0.0' },
    ...{ state_preserved: true, rollback_performed: false, swap_duration_ms: 12, held_calls: 3, errors: [] },
  })
})

test('a description has what a client needs for a call, and no names of TypeScript', async () => {
  const one = {
    ...{ name: 'feedAudio', wire: 'feed_audio', description: 'Feeds.', kind: 'call', required: true },
    ...{ idempotent: false, parameters: null, bare: null, unwrap: null, session: 'use' },
    ...{ result: { type: 'null' }, piece: null },
  }
  const bytes = { properties: { audio_in_b64: {} } }
  const methods = [
    { ...one, input: 'audioIn', args: bytes },
    { ...one, input: 'audioIn', args: { properties: { audio_in: {} } } },
    { ...one, input: 'audioIn', args: {} },
    { ...one, input: null, args: bytes },
  ]
  const contract = { name: 'stt', version: '1.0.0', description: 'Hears.', methods }
  const asked: unknown[] = []
  const host = hostThat({
    describe: async (...question: unknown[]) => {
      asked.push(question)
      return { plugin: { manifest }, contract }
    },
  })
  const { signal } = new AbortController()
  const wire = {
    ...{ name: 'feed_audio', description: 'Feeds.', kind: 'call', required: true, idempotent: false },
    ...{ result: { type: 'null' }, piece: null },
  }
  const { described, contract: whole } = await wireDescription(host, 'one', signal)
  expect(whole.name).toBe('stt')
  expect(described).toEqual({
    manifest,
    contract: { name: 'stt', version: '1.0.0', description: 'Hears.' },
    methods: [
      { ...wire, input: 'audio_in_b64', args: bytes },
      { ...wire, input: 'audio_in', args: { properties: { audio_in: {} } } },
      { ...wire, input: 'audio_in', args: {} },
      { ...wire, input: null, args: bytes },
    ],
  })
  expect(asked).toEqual([['one', { signal }]])
})
