import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BaseSequencer, startVitest } from 'vitest/node'

/** Runs the unit tests; each tries all changes that it comes by. Resolves to what came of an id; undefined: nothing came by. */
export async function tryMutants(root, mutants) {
  const folder = mkdtempSync(join(tmpdir(), 'mutants-'))
  const file = join(folder, 'outcomes')
  writeFileSync(file, '')
  process.env.MUTANTS_OUTCOMES = file
  // A test that was left in the middle leaves promises behind.
  process.env.NODE_NO_WARNINGS = '1'
  try {
    // A change that kept the process busy for ever is noted among the noticed ones: the next run does without it.
    while (!(await runTests(root, mutants)));
    const lines = new Set(readFileSync(file, 'utf8').split('\n'))
    return (id) => ['noticed', 'tried', 'loaded'].find((what) => lines.has(`${what} ${id}`))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Resolves to whether all tests have run. */
async function runTests(root, { list, contents }) {
  const packages = [...new Set(list.map(({ file }) => file.split('/')[1]))]
  const stems = list.map(({ file }) => file.replace('/src/', '/test/').replace(/\.ts$/, ''))
  const vitest = await startVitest(
    'test',
    [],
    {
      config: false,
      root,
      watch: false,
      include: packages.map((name) => `packages/${name}/test/**/*.unit.test.ts`),
      // They look at what is built, and at nothing else.
      exclude: ['**/testing/**', '**/{bundle,errors}.unit.test.ts'],
      setupFiles: [`${root}/scripts/lib/unit-test-rules.mjs`],
      runner: fileURLToPath(new URL('runner.mjs', import.meta.url)),
      isolate: false,
      fileParallelism: false,
      maxConcurrency: 1,
      testTimeout: 60_000,
      hookTimeout: 2_000,
      reporters: [{}],
      sequence: { sequencer: nearestFirst(new Set(stems)) },
    },
    { plugins: [changed(root, contents)], resolve: { alias: sources(root) } },
  )
  const wasEnded = vitest.state.getUnhandledErrors().length > 0
  const failed = vitest.state
    .getFiles()
    .flatMap(testsOf)
    .filter(({ result }) => result?.state === 'fail')
  await vitest.close()
  process.exitCode = 0
  if (wasEnded) return false
  for (const { name } of failed) console.error(`It fails without a change, and tried none: ${name}`)
  return true
}

/** Serves the copies with the changes in the place of the sources. */
function changed(root, contents) {
  return {
    name: 'mutants',
    enforce: 'pre',
    transform: (code, id) => {
      // It reads files that only a build makes.
      if (id.endsWith('/sdk/src/contracts/shipped.ts'))
        return code.replaceAll('import.meta.url', `'file://${id.replace('/src/', '/dist/')}'`)
      return contents.get(id.replace(`${root.replace(/\/$/, '')}/`, ''))
    },
  }
}

/** What the tests take from the built SDK, they take from its sources here. */
function sources(root) {
  const dist = /^\.\.\/dist\/(.*)\.js$/
  const sdk = (file) => `${root}/packages/sdk/src/${file}.ts`
  return [
    { find: dist, replacement: sdk('$1') },
    { find: /^@appfactory\/sdk$/, replacement: sdk('index') },
    { find: /^@appfactory\/sdk\/(internal|manifest)$/, replacement: sdk('$1') },
    { find: /^@appfactory\/sdk\/contracts$/, replacement: sdk('contracts/registry') },
    { find: /^@appfactory\/sdk\/testing$/, replacement: sdk('testing/index') },
  ]
}

/** The tests of the changed files come first, and small ones before large ones: few changes are left for those then. */
function nearestFirst(stems) {
  return class extends BaseSequencer {
    async sort(files) {
      const isNear = ({ moduleId }) => [...stems].some((stem) => moduleId.includes(`/${stem}.`))
      const inOrder = (await super.sort(files)).toReversed()
      return [...inOrder.filter(isNear), ...inOrder.filter((file) => !isNear(file))]
    }
  }
}

function testsOf(task) {
  return task.type === 'test'
    ? [task]
    : [...(task.result?.errors ? [task] : []), ...task.tasks.flatMap(testsOf)]
}
