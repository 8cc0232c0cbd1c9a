import { readFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { PluginHost } from '@appfactory/host'
import { checkManifest } from '@appfactory/sdk/manifest'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findTestPython } from '../../packages/host/test/python-for-tests.js'
import { type Block, blocksOf, isKnown } from './blocks.js'
import { Conversation } from './conversation.js'
import { patternOf } from './match.js'
import { exercise, pluginNameOf, well } from './plugins.js'
import { methodsIn } from './python-plugins.js'
import { type Outcome, ReaderFolder, root } from './reader.js'

const sdkRuntime = join(root, 'packages/sdk/dist/runtime/main.js')
const pythonRuntime = join(root, 'packages/sdk/dist/python/appfactory/run.py')
const python = findTestPython()
const hostCommand = join(root, 'packages/host/bin/appfactory-host.js')

export interface TestedDocument {
  text: string
  blocks: readonly Block[]
  /** There once the tests run. */
  reader: () => ReaderFolder
}

/** Runs or checks every code block of a document; `more` adds tests that use what it made of them. */
export function testDocument(
  path: string,
  more: (tested: TestedDocument) => void = () => {},
): TestedDocument {
  return testPages(basename(path), [path], more)
}

/** As `testDocument`, for a document of several pages: a reader goes through them in this order, in one folder. */
export function testPages(
  title: string,
  paths: readonly string[],
  more: (tested: TestedDocument) => void = () => {},
): TestedDocument {
  const pages = paths.map((path) => readFileSync(join(root, path), 'utf8'))
  const text = pages.join('\n')
  const blocks = pages.flatMap((page, index) => blocksOf(relative('docs', paths[index] ?? ''), page))
  let reader: ReaderFolder
  let host: PluginHost
  let last: Outcome | undefined
  const conversations = new Map<string, Conversation>()
  const tested: TestedDocument = { text, blocks, reader: () => reader }

  function hold({ kind, attributes, text: lines }: Block, other = attributes[kind] || kind): Promise<void> {
    const plugins = join(root, 'examples/plugins')
    const twin = join(plugins, 'tts_tone_py')
    const commands: Record<string, string[]> = {
      host: [process.execPath, hostCommand, '--plugins-dir', plugins, '--log-dir', join(reader.path, 'logs')],
      plugin: [process.execPath, sdkRuntime, join(plugins, 'tts_tone/dist/index.js')],
      python: [python ?? '', '-I', '-X', 'utf8', pythonRuntime, join(twin, 'main.py'), '--dir', twin],
    }
    const command = commands[other] ?? [process.execPath, other]
    const known = conversations.get(other) ?? new Conversation(command, reader.path)
    conversations.set(other, known)
    return known.hold(lines)
  }

  const checks: Record<string, (block: Block) => unknown> = {
    'ts run': runBlock,
    'js run': runBlock,
    'sh run': runBlock,
    'ts plugin': loadBlock,
    'ts members': loadBlock,
    // The compiler has said all there is to say.
    'ts shape': () => {},
    'python plugin': loadBlock,
    'python members': loadBlock,
    'python shape': compareBlock,
    'python test': async (block) => {
      const { status, output, errors } = await reader.test(block)
      expect(status, `${errors}${output}`).toBe(0)
    },
    'sh syntax': async ({ text: script, ...block }: Block) => {
      await runBlock({ ...block, text: `bash -n <<'END'\n${script}END\n` })
    },
    'json manifest': ({ text: json }) => expect(checkManifest(JSON.parse(json))).toMatchObject(flawless),
    'json manifest-part': ({ text: json }) => {
      const rest = { name: 'part', version: '1.0.0', contract: 'tts', entry_point: 'index.js' }
      expect(checkManifest({ ...rest, ...JSON.parse(json) })).toMatchObject(flawless)
    },
    'json value': ({ text: json }) => JSON.parse(json),
    'jsonl host': (block) => hold(block),
    'jsonl plugin': (block) => hold(block),
    'text output': ({ text: shown }) => expect(last?.output.trimEnd()).toMatch(patternOf(shown)),
    'text shown': () => {},
    'text tree': ({ text: tree }) => {
      for (const name of namesIn(tree)) expect(reader.hasSomewhere(name), name).toBe(true)
    },
  }

  async function runBlock(block: Block): Promise<void> {
    last = await reader.run(block)
    expect(last.status, `${last.errors}${last.output}`).toBe(Number(block.attributes['exit'] ?? 0))
  }

  async function loadBlock(block: Block): Promise<void> {
    const contract = block.attributes[block.kind] ?? ''
    expect(well).toContain(await exercise(host, pluginNameOf(block), contract))
  }

  async function compareBlock(block: Block): Promise<void> {
    await using plugin = await host.load(pluginNameOf(block))
    const summary = (await host.list()).find(({ name }) => name === plugin.name)
    if (block.attributes['shape'] !== 'base')
      expect(summary?.capabilities).toEqual(expect.arrayContaining(methodsIn(block)))
  }

  function checkFile({ attributes, text: content }: Block): void {
    const file = attributes['file'] ?? attributes['append'] ?? ''
    expect(reader.has(file)).toBe(true)
    if (basename(file) === 'manifest.json') expect(checkManifest(JSON.parse(content))).toMatchObject(flawless)
    else if (file.endsWith('.json')) JSON.parse(content)
  }

  describe(title, () => {
    beforeAll(() => {
      reader = new ReaderFolder(blocks)
      host = new PluginHost({ pluginsDir: join(reader.path, 'js/plugins') })
    })
    afterAll(async () => {
      await host.close()
      for (const conversation of conversations.values()) await conversation.close()
      reader.remove()
    })

    it('says of each block what it is', () => {
      expect(blocks.filter((block) => !isKnown(block))).toEqual([])
    })

    it('has TypeScript without errors', { timeout: 60_000 }, async () => {
      const { status, output } = await reader.compile()
      expect(status, output).toBe(0)
    })

    for (const block of blocks.filter(isKnown)) {
      it(titleOf(block), { timeout: 60_000 }, async () => {
        if (block.kind === 'file' || block.kind === 'append') checkFile(block)
        else await checks[`${block.language} ${block.kind}`]?.(block)
      })
      if (isOfAnyRuntime(block))
        it.skipIf(python === undefined)(`${titleOf(block)}, in Python`, () => hold(block, 'python'))
    }

    more(tested)
  })

  return tested
}

const flawless = { valid: true, warnings: [] }

/** A conversation that each runtime must be able to hold. */
function isOfAnyRuntime({ language, kind, attributes }: Block): boolean {
  return language === 'jsonl' && kind === 'plugin' && !attributes[kind]
}

function titleOf({ place, language, kind, attributes }: Block): string {
  return `${place} ${language} ${kind}${attributes[kind] ? `=${attributes[kind]}` : ''}`
}

/** The files and folders that a tree names, without its lines and remarks. */
function namesIn(tree: string): string[] {
  return tree.split('\n').flatMap((line) => line.replace(/#.*/, '').match(/[\w.-]+/g) ?? [])
}
