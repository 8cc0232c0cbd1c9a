/// <reference types="node" preserve="true" />
import { basename, dirname } from 'node:path'
import { isUint8Array } from 'node:util/types'
import { afterAll, describe, expect, type TestAPI, test } from 'vitest'
import { decodeWav } from '../audio.js'
import { claimsOf } from '../claims.js'
import type { AnyPlugin } from '../contracts/base.js'
import type { ClientOf } from '../contracts/client.js'
import { contractSymbol } from '../contracts/contract.js'
import type { HealthStatus } from '../health.js'
import type { Manifest } from '../manifest.js'
import { loadPluginClass, type PluginClass } from '../runtime/load.js'
import { construct, healthOf, initialize } from '../runtime/plugin.js'
import { asPluginClass, classTarget, type TestedClass, testManifest } from './class-target.js'
import { audioMatchers, type ExpectedSilence, type ExpectedWav } from './matchers.js'
import { entryFileOf, importHost, pathOf, pluginFolderAbove, readManifest } from './plugin-folder.js'
import { type RecordedCall, recordCalls } from './record-calls.js'
import { CheckRun, defaultTimeoutMs, type RunChecksOptions } from './run.js'
import { type SampleAudioOptions, sampleAudio } from './sample-audio.js'
import type { CheckTarget } from './target.js'

export type { ExpectedSilence, ExpectedWav } from './matchers.js'
export type { RecordedCall } from './record-calls.js'

declare module 'vitest' {
  // The names and the parameter must match vitest's declaration, which this extends.
  interface Matchers<T> {
    /** A WAV file (bytes, or a result or a piece with `audio`) of these figures. */
    toBeWav(expected?: ExpectedWav): void
    /** Audio in a known format that has at least one sample. */
    toBePlayable(): void
    /** A WAV file in which nothing can be heard. */
    toBeSilent(expected?: ExpectedSilence): void
  }
}

expect.extend(audioMatchers)

export interface PluginTestOptions<Plugin extends AnyPlugin> {
  /** The plugin's class; or the folder of a built plugin, whose `entry_point` is then imported. */
  plugin: TestedClass<Plugin> | string | URL
  /** The configuration for `initialize()`; defaults of a `static configSchema` are filled in. Default: none. */
  config?: object
  /** The plugin's folder, with its manifest. Default: the nearest one above the test file that has a manifest.json. */
  dir?: string | URL
  /** The `audio` fixture: a WAV file, or how to make one. Default: a second without speech, 16 kHz. */
  audio?: Uint8Array | SampleAudioOptions
}

/** A plugin in its own process, as an application sees it: arguments are checked, and results are complete. */
export type HostedPlugin<Plugin> = ClientOf<Plugin> & {
  readonly name: string
  readonly contract: string
  health(): Promise<HealthStatus>
  unload(): Promise<void>
}

/** A WAV file to listen to. */
export interface SampleSound {
  readonly wav: Uint8Array
  /** In Hz. */
  readonly sampleRate: number
  readonly durationMs: number
  /** The file in parts of `ms` each, as from a microphone. Default: 100. */
  chunks(ms?: number): AsyncGenerator<Uint8Array, void, undefined>
}

export interface PluginFixtures<Plugin extends AnyPlugin> {
  /** An instance of the class in this process, initialized; shut down after the test. Its methods are called directly. */
  plugin: Plugin
  /** The plugin in its own process, from its built files. Needs `@appfactory/host`. */
  host: HostedPlugin<Plugin>
  /** Asks `plugin` how it is, and checks the answer as the runtime does. */
  health: () => Promise<HealthStatus>
  /** Calls of the contract's methods of `plugin` so far. */
  calls: readonly RecordedCall[]
  /** Something to listen to. */
  audio: SampleSound
}

/**
 * Vitest's `test` with fixtures for one plugin. Only those that a test names are made.
 *
 * @example
 * const test = pluginTest({ plugin: MyTTSPlugin, config: { voice: 'low' } })
 * test('speaks', async ({ plugin }) => {
 *   expect(await plugin.synthesize('Hello')).toBeWav({ sampleRate: 16_000 })
 * })
 */
export function pluginTest<Plugin extends AnyPlugin = AnyPlugin>(
  options: PluginTestOptions<Plugin>,
): TestAPI<PluginFixtures<Plugin>> {
  const records = new WeakMap<AnyPlugin, RecordedCall[]>()
  return test.extend<PluginFixtures<Plugin>>({
    plugin: async ({ task }, use) => {
      const { plugin, calls } = await startPlugin(options, task.file.filepath)
      records.set(plugin, calls)
      try {
        await use(plugin)
      } finally {
        await plugin.shutdown()
      }
    },
    host: async ({ task }, use) => {
      const dir = folderOf(options, task.file.filepath)
      const { PluginHost } = await importHost<HostModule>('@appfactory/host', [
        dirname(task.file.filepath),
        dir,
      ])
      const host = new PluginHost({ pluginsDir: dirname(dir) })
      try {
        await use((await host.load(basename(dir), { config: { ...options.config } })) as HostedPlugin<Plugin>)
      } finally {
        await host.close()
      }
    },
    health: async ({ plugin }, use) => {
      await use(async () => {
        const { latency_ms: _unmeasured, memory_mb, ...health } = await healthOf(plugin)
        return { ...health, ...(memory_mb === null ? {} : { memoryMb: memory_mb }) }
      })
    },
    calls: async ({ plugin }, use) => {
      await use(records.get(plugin) ?? [])
    },
    // biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of a fixture's fixtures here.
    audio: async ({}, use) => {
      await use(soundOf(options.audio))
    },
  })
}

export type CheckContractOptions = Omit<RunChecksOptions, 'target' | 'onStart' | 'onResult' | 'signal'>

/**
 * Adds one test for each check of the plugin's contract. Skipped tests have a reason; notes of checks become annotations.
 *
 * @param plugin The plugin's class, checked in this process; or the folder of a built plugin, checked in a process of its own
 *   (which needs `@appfactory/host`).
 * @example checkContract(MyTTSPlugin, { config: { voice: 'low' } })
 */
export function checkContract(plugin: TestedClass | string | URL, options: CheckContractOptions = {}): void {
  const name = typeof plugin === 'function' ? plugin.name : basename(pathOf(plugin))
  const timeout = (options.timeoutMs ?? defaultTimeoutMs) * 10
  describe(`${name} keeps its contract`, { sequential: true, shuffle: false }, async () => {
    const place = { testFile: '' }
    const run = await CheckRun.prepare({ ...options, target: await targetOf(plugin, place) })
    afterAll(() => run.close(), timeout)
    for (const check of run.checks) {
      test(`${check.id}: ${check.title}`, { timeout }, async ({ skip, annotate, task }) => {
        place.testFile = task.file.filepath
        const { status, reason = '', note, error } = await run.do(check)
        if (note !== undefined) await annotate(note)
        if (status === 'skipped' || status === 'blocked') skip(reason)
        if (status === 'failed') throw failure(reason, error)
      })
    }
  })
}

/** Without the stack, which is the check's and not the plugin's. */
function failure(reason: string, cause: unknown): Error {
  const error = new Error(reason, { cause })
  error.stack = `Error: ${reason}`
  return error
}

/** @param place The test file, once it is known. */
async function targetOf(
  plugin: TestedClass | string | URL,
  place: { testFile: string },
): Promise<CheckTarget> {
  if (typeof plugin === 'function') {
    const claims = async () => claimsOf(manifestFor(asPluginClass(plugin), manifestAbove(place.testFile)))
    return { ...classTarget(plugin), claims }
  }
  const dir = pathOf(plugin)
  const { pluginTarget } = await importHost<HostTestingModule>('@appfactory/host/testing', [
    dir,
    process.cwd(),
  ])
  return pluginTarget(dir)
}

/** The used part of `@appfactory/host`. */
interface HostModule {
  PluginHost: new (options: {
    pluginsDir: string
  }) => {
    load(name: string, options: { config: Record<string, unknown> }): Promise<unknown>
    close(): Promise<void>
  }
}

interface HostTestingModule {
  pluginTarget(dir: string): CheckTarget
}

async function startPlugin<Plugin extends AnyPlugin>(
  { plugin, config, dir }: PluginTestOptions<Plugin>,
  testFile: string,
): Promise<{ plugin: Plugin; calls: RecordedCall[] }> {
  const folder = typeof plugin === 'function' ? (dir ?? pluginFolderAbove(testFile)) : plugin
  const manifest = folder === undefined ? undefined : readManifest(pathOf(folder))
  const pluginClass =
    typeof plugin === 'function' ? asPluginClass(plugin) : await importPlugin(pathOf(plugin))
  const made = construct(pluginClass, manifestFor(pluginClass, manifest)) as Plugin
  const { methods } = await pluginClass[contractSymbol].describe()
  const calls = recordCalls(
    made,
    methods.map((method) => method.name),
  )
  await initialize(made, pluginClass, { ...config })
  return { plugin: made, calls }
}

function manifestAbove(testFile: string): Manifest | undefined {
  const folder = pluginFolderAbove(testFile)
  return folder === undefined ? undefined : readManifest(folder)
}

/** The manifest of the folder, if it is that of this plugin: a test may try out other classes too. */
function manifestFor(pluginClass: PluginClass, manifest: Manifest | undefined): Manifest {
  return manifest?.contract === pluginClass[contractSymbol].name ? manifest : testManifest(pluginClass)
}

function importPlugin(dir: string): Promise<PluginClass> {
  return loadPluginClass(entryFileOf(dir, readManifest(dir)), { provideSdk: false })
}

function folderOf({ plugin, dir }: PluginTestOptions<AnyPlugin>, testFile: string): string {
  if (dir !== undefined) return pathOf(dir)
  const folder = typeof plugin === 'function' ? pluginFolderAbove(testFile) : pathOf(plugin)
  if (folder !== undefined) return folder
  throw new Error(`There is no manifest.json above ${testFile}; say where the plugin is: pluginTest({ dir })`)
}

function soundOf(audio: Uint8Array | SampleAudioOptions = {}): SampleSound {
  const wav = isUint8Array(audio) ? audio : sampleAudio(audio)
  const decoded = decodeWav(wav)
  if (!decoded) throw new TypeError('pluginTest: `audio` must be a WAV file')
  const { sampleRate, channels, bitsPerSample, data } = decoded
  const bytesPerMs = (sampleRate * channels * bitsPerSample) / 8000
  return {
    wav,
    sampleRate,
    durationMs: data.length / bytesPerMs,
    async *chunks(ms = 100) {
      const size = Math.max(1, Math.round(ms * bytesPerMs))
      for (let start = 0; start < wav.length; start += size) yield wav.subarray(start, start + size)
    },
  }
}
