import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { runCommand } from '../fixtures/command.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

const zod = dirname(fileURLToPath(import.meta.resolve('zod/package.json')))

const schema = (fields: string) => `
import { z } from 'zod'
${ttsPlugin(`static configSchema = z.strictObject({ ${fields} })`)}`

const manifestText = `{
    "name": "speaker", "version": "1.0.0",
    "contract": "tts",
    "config_schema": { "old": "{\\"}" },
    "entry_point": "index.js",
    "tags": ["a", "b"]
}
`

/** A plugin whose class has a schema, with a manifest that somebody formatted by hand. */
function plugin(source: string, manifest = manifestText): { root: string; file: string } {
  const root = temporaryFolder()
  const dir = writePlugin(root, 'speaker', source)
  mkdirSync(join(dir, 'node_modules'))
  symlinkSync(zod, join(dir, 'node_modules/zod'))
  const file = join(dir, 'manifest.json')
  writeFileSync(file, manifest)
  return { root, file }
}

test('manifest writes the schema of the code, and leaves the rest as it was written', async () => {
  const { root, file } = plugin(schema("voice: z.string().default('low')"))
  expect(await runCommand(root, 'manifest', 'speaker', '--check')).toMatchObject({ status: 1 })
  expect(readFileSync(file, 'utf8')).toBe(manifestText)
  const written = await runCommand(root, 'manifest', 'speaker')
  expect(written).toEqual({ status: 0, stdout: 'speaker: config_schema written\n', stderr: '' })
  expect(readFileSync(file, 'utf8')).toBe(`{
    "name": "speaker", "version": "1.0.0",
    "contract": "tts",
    "config_schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "voice": {
                "default": "low",
                "type": "string"
            }
        },
        "additionalProperties": false
    },
    "entry_point": "index.js",
    "tags": ["a", "b"]
}
`)
  expect(await runCommand(root, 'manifest', 'speaker', '--check')).toMatchObject({ status: 0 })
  expect(await runCommand(root, 'manifest', 'speaker')).toMatchObject({
    stdout: 'speaker: config_schema is up to date\n',
  })
  const { stdout } = await runCommand(root, 'manifest', 'speaker', '--json')
  expect(JSON.parse(stdout)).toMatchObject({ plugin: 'speaker', changed: false, written: false })
})

test.each([
  [
    'a new key',
    '{\n\t"name": "speaker",\n\t"version": "1.0.0",\n\t"contract": "tts",\n\t"entry_point": "index.js"\n}',
  ],
  ['one line', '{"name":"speaker","version":"1.0.0","contract":"tts","entry_point":"index.js"}'],
  [
    'the last key',
    '{"name":"speaker","version":"1.0.0","contract":"tts","entry_point":"index.js","config_schema":1e3}',
  ],
])('manifest keeps the form of the file: %s', async (_, text) => {
  const { root, file } = plugin(schema('speed: z.number()'), text.replace('1e3', '{}'))
  expect(await runCommand(root, 'manifest', 'speaker')).toMatchObject({ status: 0 })
  const written = readFileSync(file, 'utf8')
  expect(JSON.parse(written)).toMatchObject({
    ...(JSON.parse(text) as object),
    config_schema: { properties: { speed: { type: 'number' } } },
  })
  expect(written.includes('\n')).toBe(text.includes('\n'))
  expect(written.includes('\n\t"config_schema": {\n\t\t"')).toBe(text.includes('\t'))
})

test('validate says when the manifest is not what the code says any more', async () => {
  const { root, file } = plugin(schema('voice: z.string()'))
  const drifted = await runCommand(root, 'validate', 'speaker')
  expect(drifted.status).toBe(0)
  expect(drifted.stdout).toMatch(
    /speaker: valid\n\s+warning .*config_schema: differs from the code; run appfactory-host manifest/,
  )
  await runCommand(root, 'manifest', 'speaker')
  expect(await runCommand(root, 'validate', 'speaker')).toMatchObject({ stdout: 'speaker: valid\n' })
  writeFileSync(file.replace('manifest.json', 'index.js'), 'throw new Error("broken")')
  const { stdout } = await runCommand(root, 'validate', 'speaker')
  expect(stdout).toMatch(/warning .*can’t be compared with the code: .*broken/)
})

test('manifest refuses a plugin without a schema, or without a manifest', async () => {
  const { root } = plugin(ttsPlugin())
  const none = await runCommand(root, 'manifest', 'speaker')
  expect(none).toMatchObject({ status: 2, stderr: expect.stringContaining('static readonly configSchema') })
  writeFileSync(join(root, 'speaker', 'main.py'), '')
  writeFileSync(
    join(root, 'speaker', 'manifest.json'),
    '{"name":"speaker","version":"1.0.0","contract":"tts","entry_point":"main"}',
  )
  const python = await runCommand(root, 'manifest', 'speaker')
  expect(python).toMatchObject({ status: 2, stderr: expect.stringContaining('by hand') })
  expect(python.stderr).not.toContain('Zod')
  expect(await runCommand(root, 'manifest', 'nowhere')).toMatchObject({ status: 2 })
  mkdirSync(join(root, 'empty'))
  expect(await runCommand(root, 'manifest', 'empty')).toMatchObject({ status: 1 })
})
