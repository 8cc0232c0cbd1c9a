import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript-lowest'
import { describe, expect, test } from 'vitest'
import { Editor } from './editor.js'

const here = import.meta.dirname.replaceAll('\\', '/')
const application = `${here}/application.mts`
const source = readFileSync(application, 'utf8')
/** Modules that are not on disk. */
const host = `${here}/host.mts`
const sdk = `${here}/sdk.mts`
const mistaken = `${here}/mistaken.mts`

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  types: ['node'],
  ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true },
  ...{ module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
}

const files = {
  [application]: source,
  [host]: "export * from '@appfactory/host'",
  [sdk]: "export * from '@appfactory/sdk'",
  [mistaken]: source.replace("tts.synthesize('Hello'", 'tts.synthesize(5'),
}
const editor = new Editor(files, options)

// scripts/check-packages.mjs does the same with the declarations of others, and with another way to find modules.
describe('the lowest TypeScript, with its strictest options, compiles', () => {
  test('it is the one that the documentation names', () => {
    const page = readFileSync(join(here, '../../../../docs/embedding.md'), 'utf8')
    expect(page).toContain(`TypeScript ${ts.versionMajorMinor} or later`)
  })

  test('the declarations of the packages', () => {
    const files = editor.declarations()
    expect(files.length).toBeGreaterThan(50)
    expect(files.flatMap((file) => editor.errors(file))).toEqual([])
  })

  test('an application', () => {
    expect(editor.errors(application)).toEqual([])
  })

  test('and not one with a mistake', () => {
    expect(editor.errors(mistaken)).toEqual([
      expect.stringContaining("'number' is not assignable to parameter of type 'string'"),
    ])
  })
})

describe('an editor shows', () => {
  test.each([
    ['load(TTSContract', 'Starts a plugin of a contract'],
    ['synthesize(', 'Converts text to audio.'],
    ['synthesizeStream(', 'Converts text to audio piece by piece.'],
    ['getVoices(', 'Lists the voices.'],
    ['unload()', 'Unloads the plugin'],
    ['transcribe(', 'Converts audio to text.'],
    ['chat(', 'Answers a conversation.'],
    ['count(', 'Counts characters.'],
    ['speed:', 'Factor, 0.1 to 10: 1 is normal'],
    ['signal:', 'An abort cancels the call'],
    ['durationMs', 'Length of the audio, in ms.'],
    ['maxTokens', 'Default: 1,024'],
    ['timeoutMs', 'In ms'],
    ['callTimeoutMs', 'Default: 60,000'],
    ['text, first', 'The part of the text'],
    ['totalTokens', 'Tokens of prompt and answer'],
    ['plugin, stderr', 'The plugin’s name'],
  ])('%s: %s', (word, words) => {
    expect(editor.hover(application, word).documentation.replaceAll("'", '’')).toContain(words)
  })

  test('the payload of an event by its name', () => {
    const { type } = editor.hover(application, "on('crash'")
    expect(type).toContain('(event: CrashEvent) => void')
  })

  /** Data that others describe: docs/error-codes.md, and the guide's page of the manifest. */
  const elsewhere = /^(ErrorData|Manifest)\./

  test.each([host, sdk])('documentation of every public member of %s', (module) => {
    expect(editor.undocumented(module).filter((name) => !elsewhere.test(name))).toEqual([])
  })

  test('which limits have which defaults', async () => {
    const { defaultInstanceLimits, defaultRestartPolicy, defaultSlotLimits } = await import(
      '../../src/options.js'
    )
    const documented = { ...defaultInstanceLimits, ...defaultSlotLimits, ...defaultRestartPolicy }
    const text = readFileSync(join(here, '../../dist/options.d.ts'), 'utf8')
    for (const [name, value] of Object.entries(documented)) {
      const line = text.split('\n').findIndex((each) => each.trim().startsWith(`${name}: number`))
      const comment = text.split('\n')[line - 1]
      expect(comment, name).toMatch(new RegExp(`Default: ${value.toLocaleString('en-US')}\\b`))
    }
  })
})
