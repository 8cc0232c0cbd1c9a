import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { pythonWith } from '../../../sdk/test/python/environment.js'
import { json, send, serve, startHost } from '../visitor.js'
import { clientPackages } from './packages.js'

const python = pythonWith(...clientPackages)

/** What makes sense for a random client: names that there are. Others are not found, which says nothing of the rest. */
const names = {
  '/chat/completions': { model: ['tool_llm'] },
  '/completions': { model: ['tool_llm'] },
  '/responses': { model: ['tool_llm'] },
  '/embeddings': { model: ['letter_embedding'] },
  '/audio/speech': { model: ['tone_tts'], voice: ['low', 'alloy'] },
  '/audio/transcriptions': { model: ['echo_stt'] },
}

/** Methods that fail for whoever calls them, and a WebSocket. */
const unfit = 'own_things/(exit|hang|fail)|/realtime|_stream$|feed_audio|tone_tts/synthesize'

/** More than what the schema says is refused: silence, options that no plugin has. What the schema forbids, always. */
const config = `
[checks.positive_data_acceptance]
enabled = false
[checks.negative_data_rejection]
expected-statuses = ["4xx"]
`

it.skipIf(python === undefined)('schemathesis finds nothing that is not as /openapi.json says', async () => {
  const host = await startHost(['tool_llm', 'letter_embedding', 'tone_tts', 'echo_stt', 'own_things'])
  onTestFinished(() => host.close({ force: true }))
  const { port, url } = await serve(host, { keys: ['key'] })
  const folder = mkdtempSync(join(tmpdir(), 'appfactory-schemathesis-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const files = ['openapi.json', 'schemathesis.toml'].map((name) => join(folder, name)) as [string, string]
  const headers = { authorization: 'Bearer key' }
  const document = withNames(json(await send(port, { path: '/openapi.json', headers })))
  writeFileSync(files[0], JSON.stringify(document))
  writeFileSync(files[1], config)
  const program = join(dirname(String(python)), 'schemathesis')
  const options = ['--phases', 'fuzzing', '--generation-deterministic', '--max-examples', '3', '--no-color']
  const whom = ['--url', url, '--header', 'Authorization: Bearer key', '--exclude-path-regex', unfit]
  const output = await new Promise<string>((resolve) => {
    const args = ['--config-file', files[1], 'run', files[0], ...options, ...whom]
    execFile(program, args, { cwd: folder }, (_error, stdout, stderr) => resolve(stdout + stderr))
  })
  const [, generated, passed] = /(\d+) generated, (\d+) passed/.exec(output) ?? []
  expect(passed, output).toBe(generated)
  expect(Number(passed), output).toBeGreaterThan(100)
})

type Schema = { properties: Record<string, object> }
type Document = {
  paths: Record<string, { post: { requestBody: { content: Record<string, { schema: Schema }> } } }>
}

function withNames(document: object): object {
  for (const [path, values] of Object.entries(names))
    for (const { schema } of Object.values(
      (document as Document).paths[path]?.post.requestBody.content ?? {},
    ))
      for (const [member, all] of Object.entries(values)) schema.properties[member] = { enum: all }
  return document
}
