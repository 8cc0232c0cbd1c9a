import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { contracts, engines } from '../src/answers.js'
import { plan } from '../src/plan.js'
import { withDefaults } from '../src/read-answers.js'
import { spawned } from './command.js'

/** In the package, so that what is made finds the packages that it needs. Git does not see it. */
const folder = fileURLToPath(new URL('../out/own-tests', import.meta.url))
const packages = fileURLToPath(new URL('../../../node_modules', import.meta.url))
const vitest = join(packages, 'vitest/vitest.mjs')

afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Change = (source: string) => string

/** Tests that are written already. Those of what plugins share, such as requests over HTTP, are run for one of them. */
const written = new Set<unknown>()

/** Writes a new plugin, its code having been changed, and returns its folder. */
function write(
  name: string,
  { contract = 'tts', engine = 'sample' }: { contract?: string; engine?: string },
  change: Change = (source) => source,
): string {
  const given = { name, contract, engine, language: 'javascript' }
  const answers = withDefaults(given, { packageManager: 'npm' })
  for (const { path, content } of plan(answers)) {
    if (/^test\/(http|command)\.test/.test(path)) {
      if (written.has(content)) continue
      written.add(content)
    }
    mkdirSync(dirname(join(folder, name, path)), { recursive: true })
    writeFileSync(
      join(folder, name, path),
      path === 'src/index.js' && typeof content === 'string' ? change(content) : content,
    )
  }
  return join(folder, name)
}

interface Outcome {
  passed: number
  failed: string[]
}

/** Runs the own tests of all plugins in the folder; resolves to their results by the plugin's name. */
async function runOwnTests(): Promise<Record<string, Outcome>> {
  // Else that of this package would be found.
  writeFileSync(join(folder, 'vitest.config.js'), 'export default {}\n')
  // A busy machine is slow, and nothing here is about time. Not isolated: the SDK is loaded once for all.
  const args = [vitest, 'run', '--reporter=json', '--testTimeout=60000', '--maxWorkers=2', '--no-isolate']
  const { out, error } = await spawned(process.execPath, args, { cwd: folder })
  const start = out.indexOf('{"numTotalTestSuites"')
  if (start === -1) throw new Error(`${out}\n${error}`)
  const report: {
    testResults: { name: string; assertionResults: { status: string; title: string }[] }[]
  } = JSON.parse(out.slice(start))
  const outcomes: Record<string, Outcome> = {}
  for (const { name, assertionResults } of report.testResults) {
    const [plugin = ''] = relative(folder, name).split(sep)
    outcomes[plugin] ??= { passed: 0, failed: [] }
    const outcome = outcomes[plugin]
    for (const { status, title } of assertionResults)
      if (status === 'passed') outcome.passed++
      else if (status === 'failed') outcome.failed.push(title)
  }
  return outcomes
}

const matrix = contracts.flatMap((contract) => engines.map((engine) => ({ contract, engine })))
let outcomes: Record<string, Outcome>

beforeAll(async () => {
  for (const { contract, engine } of matrix) write(`whole_${contract}_${engine}`, { contract, engine })
  write('forgetful', { contract: 'custom' }, (source) =>
    source.replace(
      /async embed\(\{ texts \}, context\) \{/,
      '$&\n    this.last = texts\n    await letOthersRun()\n    texts = this.last',
    ),
  )
  outcomes = await runOwnTests()
}, 300_000)

it.each(matrix)('the tests of a new $contract plugin over $engine pass', ({ contract, engine }) => {
  const { failed, passed } = outcomes[`whole_${contract}_${engine}`] ?? { failed: ['all'], passed: 0 }
  expect(failed).toEqual([])
  expect(passed).toBeGreaterThan(20)
})

it('the tests of a new plugin of its own contract notice that a call is kept in the instance', () => {
  expect(outcomes['forgetful']?.failed).toEqual([expect.stringMatching(/^vectors\.embed\.concurrent/)])
})

it.skipIf(process.platform === 'win32')(
  'a program outlives the killed plugin that runs it: it ends, and so does what it started',
  async () => {
    const dir = write('killed', { engine: 'command' })
    const family = `
      const { pid } = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'])
      console.log(JSON.stringify([process.pid, pid]))
      setInterval(() => {}, 1e6)`
    writeFileSync(
      join(dir, 'run.js'),
      `import { Program } from './src/command.js'
      const command = [process.execPath, '-e', ${JSON.stringify(family)}]
      const program = new Program({ command, timeout_ms: 1e6, max_programs: 1 }, 'INTERNAL_ERROR')
      for await (const piece of program.stream({ input: '' })) process.stdout.write(piece)`,
    )
    const plugin = spawn(process.execPath, ['run.js'], { cwd: dir, stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = await once(createInterface(plugin.stdout), 'line')
    plugin.kill('SIGKILL')
    const pids: number[] = JSON.parse(line)
    expect(pids).toHaveLength(2)
    await expect.poll(() => pids.filter(isRunning)).toEqual([])
  },
)

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

it.skipIf(process.platform === 'win32')('a manifest that is not what the code says fails lint', async () => {
  const lint = (dir: string) => {
    const { scripts }: { scripts: { lint: string } } = JSON.parse(
      readFileSync(join(dir, 'package.json'), 'utf8'),
    )
    const env = { PATH: `${join(packages, '.bin')}:${process.env['PATH']}` }
    return spawned('sh', ['-c', scripts.lint], { cwd: dir, env })
  }
  expect(await lint(write('in_step', { contract: 'llm' }))).toMatchObject({ status: 0 })
  const drifted = write('drifted', { contract: 'llm' }, (source) =>
    source.replace('default(60)', 'default(61)'),
  )
  expect(await lint(drifted)).toMatchObject({ status: 1 })
})
