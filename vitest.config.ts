import { defineConfig } from 'vitest/config'
import { embed } from './packages/create-plugin/scripts/embed.mjs'

const tests = '**/test/**/*.test.ts'
const unit = '**/test/**/*.unit.test.ts'
const browser = '**/test/**/*.browser.test.ts'
const never = ['**/node_modules/**', '**/dist/**']

// The name of a file decides: `*.unit.test.ts` starts no process (scripts/lib/no-processes.mjs refuses it), `*.browser.test.ts`
// needs Chromium, all others may start processes. The patterns hold in every folder, so vitest can be run in one package.
export default defineConfig({
  plugins: [embed()],
  test: {
    // Tests wait for other processes more than they compute: one worker for each core.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What is awaited may take seconds where the cores are busy with other tests.
    expect: { poll: { timeout: 20_000 } },
    // Mutants that do not end when they are told to are waited for side by side.
    maxConcurrency: 12,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [unit],
          exclude: never,
          setupFiles: [`${import.meta.dirname}/scripts/lib/no-processes.mjs`],
          // Neither Node nor the modules are loaded anew for each file.
          isolate: false,
        },
      },
      { extends: true, test: { name: 'process', include: [tests], exclude: [...never, unit, browser] } },
      { extends: true, test: { name: 'browser', include: [browser], exclude: never } },
    ],
  },
})
