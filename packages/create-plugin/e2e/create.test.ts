import { once } from 'node:events'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Registry, startRegistry } from '../../../scripts/lib/registry.mjs'
import { type Contract, contracts, languages } from '../src/answers.js'
import { User } from './user.js'

const root = realpathSync(mkdtempSync(join(tmpdir(), 'appfactory-e2e-')))
let registry: Registry
const times: string[] = []

beforeAll(async () => {
  registry = await startRegistry(join(root, 'packed'))
})

afterAll(() => {
  registry?.close()
  rmSync(root, { recursive: true, force: true, maxRetries: 3 })
  process.stdout.write(`${times.join('\n')}\n`)
})

/** A call as somebody types it, and what must come back. */
const calls: Record<Contract, { args: string[]; answer: RegExp }> = {
  tts: {
    args: ['synthesize', '--args', '{"text":"Hello"}', '--out', 'hello.wav'],
    answer: /"format": ?"wav"/,
  },
  stt: { args: ['transcribe', '--file', 'audio=samples/sos.wav'], answer: /"text": "sos"/ },
  llm: { args: ['complete', '--args', '{"prompt":"A plugin","seed":1}'], answer: /"text": " \w.*\."/ },
  custom: { args: ['embed', '--args', '{"texts":["Hello"]}'], answer: /"vectors"/ },
}

/** The same to a host that goes on. */
const requests: Record<Contract, { method: string; params: object }> = {
  tts: { method: 'tts/get_voices', params: {} },
  stt: { method: 'stt/get_languages', params: {} },
  llm: { method: 'llm/complete', params: { prompt: 'A plugin', seed: 1 } },
  custom: {
    method: 'plugin/call',
    params: { plugin: 'my_custom_plugin', method: 'embed', args: { texts: ['x'] } },
  },
}

/** Resolves once `dev` has said so. */
async function told(events: Interface, type: string): Promise<void> {
  for (;;) {
    const [line] = await once(events, 'line')
    if (line.startsWith('{') && JSON.parse(line).type === type) return
  }
}

const managers = ['npm', 'pnpm'] as const
const matrix = managers.flatMap((manager) =>
  contracts.flatMap((contract) => languages.map((language) => ({ manager, contract, language }))),
)

describe.concurrent.each(matrix)(
  'with $manager: $contract in $language',
  ({ manager, contract, language }) => {
    const name = `my_${contract}_plugin`
    const user = () => {
      const folder = join(root, `${manager}-${contract}-${language}`)
      mkdirSync(folder, { recursive: true })
      return new User(folder, registry.url, join(root, 'caches'))
    }
    const typed = (args: readonly string[]): Promise<string> =>
      manager === 'npm' ? user().npm(args, name) : user().pnpm(args, name)
    const host = (args: readonly string[]): Promise<string> =>
      manager === 'npm'
        ? user().npx(['appfactory-host', ...args], name)
        : user().pnpm(['exec', 'appfactory-host', ...args], name)

    it('is created, installed, checked, tested, built and called', async () => {
      const flags = ['--contract', contract, '--language', language, '--author', 'Tom & "J" \\x', '--yes']
      await timed('create', () =>
        manager === 'npm'
          ? user().npm(['create', 'appfactory-plugin@latest', name, '--', ...flags])
          : user().pnpm(['create', 'appfactory-plugin@latest', name, ...flags]),
      )
      const manifest: unknown = JSON.parse(readFileSync(join(user().folder, name, 'manifest.json'), 'utf8'))
      expect(manifest).toMatchObject({ name, author: 'Tom & "J" \\x' })

      await timed('install', () => typed(['install']))
      await timed('lint', () => typed(['run', 'lint']))
      await timed('typecheck', () => typed(['run', 'typecheck']))
      expect(await timed('test', () => typed(['test']))).toMatch(/Tests +\d+ passed/)
      if (language === 'typescript') await timed('build', () => typed(['run', 'build']))

      const { args, answer } = calls[contract]
      expect(await timed('call', () => host(['call', name, ...args, '--plugins-dir', '..']))).toMatch(answer)
      // The same whoever installed it.
      if (manager === 'npm') await timed('checks', () => host(['test', '.']))
      await timed('dev', swapByAnEdit)
    })

    /** Calls the plugin under `dev`, edits its source, and calls it again. */
    async function swapByAnEdit(): Promise<void> {
      const process = user().start('appfactory-host', ['dev', '.', '--json'], name)
      const events = createInterface(process.stderr)
      const answers = createInterface(process.stdout)
      const { method, params } = requests[contract]
      const call = async (id: number): Promise<void> => {
        process.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
        const [line] = await once(answers, 'line')
        expect(JSON.parse(line)).toMatchObject({ id, result: expect.anything() })
      }
      await told(events, 'loaded')
      await call(1)
      appendFileSync(
        join(user().folder, name, `src/index.${language === 'typescript' ? 'ts' : 'js'}`),
        '// Saved.\n',
      )
      await told(events, 'reloaded')
      await call(2)
      process.stdin.end()
      expect(await once(process, 'close')).toEqual([0, null])
    }

    async function timed<Result>(step: string, work: () => Promise<Result>): Promise<Result> {
      const start = performance.now()
      const result = await work()
      times.push(`${manager} ${contract} ${language} ${step}: ${Math.round(performance.now() - start)} ms`)
      return result
    }
  },
)

/** Of those that the SDK names as peers, with the oldest Node that each runs on. */
describe.concurrent.each([
  { range: '~3.2.0', node: 20 },
  { range: '^5.0.0', node: 22 },
])('with Vitest $range', ({ range, node }) => {
  it('the checks, the fixtures and the matchers work', async () => {
    const folder = join(root, `vitest-${node}`)
    mkdirSync(folder)
    const user = new User(folder, registry.url, join(root, 'caches'), await binOf(node))
    const flags = ['--contract', 'tts', '--yes']
    await user.npm(['create', 'appfactory-plugin@latest', 'my_plugin', '--', ...flags])
    const file = join(folder, 'my_plugin/package.json')
    const manifest: { devDependencies: Record<string, string> } = JSON.parse(readFileSync(file, 'utf8'))
    Object.assign(manifest.devDependencies, { vitest: range, '@types/node': `^${node}.0.0` })
    writeFileSync(file, JSON.stringify(manifest))
    await user.npm(['install'], 'my_plugin')
    await user.npm(['run', 'typecheck'], 'my_plugin')
    const said = await user.npm(['test'], 'my_plugin')
    expect(said).toMatch(new RegExp(`RUN +v${range.charAt(1)}\\.`))
    expect(said).toMatch(/Tests +\d+ passed/)
  })
})

/** The folder of a Node of at least that version: nothing special where this one will do. */
async function binOf(version: number): Promise<string | undefined> {
  if (Number.parseInt(process.versions.node, 10) >= version) return undefined
  const folder = join(root, `node-${version}`)
  mkdirSync(folder)
  const name = `node-${process.platform}-${process.arch}`
  await new User(folder, registry.url, join(root, 'caches')).npm(['install', `${name}@${version}`])
  return join(folder, 'node_modules', name, 'bin')
}

it('a dry run whose flags npm kept writes nothing and shows the command that works', async () => {
  const folder = join(root, 'swallowed')
  mkdirSync(folder)
  const user = new User(folder, registry.url, join(root, 'caches'))
  const create = ['create', 'appfactory-plugin@latest', 'x']
  const flags = ['--contract', 'tts', '--dry-run']
  // This one is first, for npm would not even fetch the command in a dry run of its own.
  expect(await user.npm([...create, '--', ...flags, '--yes'])).toMatch(/Would write 10 files/)
  await expect(user.npm([...create, ...flags])).rejects.toThrowError(
    /npm create appfactory-plugin@latest x -- --contract tts --dry-run/,
  )
  await expect(user.npm([...create, '--contrat', 'tts', '--dryrun'])).rejects.toThrowError(
    /npm took --contrat, --dryrun (.|\n)*npm create appfactory-plugin@latest x -- --contract tts --dry-run/,
  )
  expect(readdirSync(folder)).toEqual([])
})
