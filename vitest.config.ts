import { defineConfig } from 'vitest/config'
import { embed } from './packages/create-plugin/scripts/embed.mjs'

const tests = '**/test/**/*.test.ts'
const unit = '**/test/**/*.unit.test.ts'
const browser = '**/test/**/*.browser.test.ts'
const never = ['**/node_modules/**', '**/dist/**']

/** Slow, and the same on each Node: CI leaves them out where it runs the tests once more. `--exclude` knows nothing of projects. */
const sameOnEachNode = [
  // Engines of the examples, and what they say.
  '**/contract.test.ts',
  '**/stt_pocketsphinx/test/*.test.ts',
  '**/tts_flite/test/*.test.ts',
  '**/{embed,llm}_llama/test/*.test.ts',
  '**/vad_fvad/test/*.test.ts',
  '**/voice-assistant/test/*.test.ts',
  '**/ai-sdk/test/engines.test.ts',
  // The checks for authors, and the command's answers to people.
  '**/testing/*.test.ts',
  '**/host/test/{embedding,testing}.test.ts',
  '**/host/test/cli/*.test.ts',
  '**/tester/*.test.ts',
  // Rules of our own, whatever runs them.
  '**/linear-time.test.ts',
  '**/host/test/packed.test.ts',
  '**/host/test/options.test.ts',
  '**/host/test/types/*.test.ts',
  '**/test/python/*.test.ts',
  '**/gateway/test/bad-input.test.ts',
  '**/gateway/test/command.test.ts',
  '**/gateway/test/{embeddings,speech,transcriptions,rest,mcp,wyoming}.test.ts',
  '**/gateway/test/realtime/*.test.ts',
  '**/gateway/test/clients/*.test.ts',
  '**/config/*.test.ts',
  '**/instance/handshake.test.ts',
  '**/instance/long-errors.test.ts',
  '**/instance/thrown-codes.test.ts',
  '**/plugins/add.test.ts',
  '**/plugins/install.test.ts',
  '**/plugins/dependencies.test.ts',
  '**/server/bytes-that-never-come.test.ts',
  '**/server/cancel-starting.test.ts',
  '**/server/cancel-waiting.test.ts',
  '**/server/logs.test.ts',
  '**/server/sent-ahead.test.ts',
  '**/server/unread.test.ts',
  '**/server/operating.test.ts',
  '**/server/stdio.test.ts',
  '**/trace/wire.test.ts',
  '**/reload.test.ts',
  '**/names-and-clocks.test.ts',
  '**/project-packages.test.ts',
  '**/{at-caller,bundlers,opentelemetry}.test.ts',
  '**/fallback/*.test.ts',
  '**/metrics/*.test.ts',
  '**/plugins/{listing,privileges}.test.ts',
  '**/server/{callers,serve}.test.ts',
  '**/slot/{left-behind,replicas,starting}.test.ts',
  '**/slot/supervision.test.ts',
  '**/slot/swap-config.test.ts',
  '**/slot/swap-edges.test.ts',
  '**/slot/swap.test.ts',
  // What Python runs.
  '**/guide-python.test.ts',
  '**/{bytes-of-python,debug-python,python}.test.ts',
]
// biome-ignore lint/suspicious/noUndeclaredEnvVars: turbo runs no tests.
const leftOut = process.env['OTHER_NODE'] === undefined ? [] : sameOnEachNode

// The name of a file decides: `*.unit.test.ts` starts no process (scripts/lib/unit-test-rules.mjs refuses it), `*.browser.test.ts`
// needs Chromium, all others may start processes. The patterns hold in every folder, so vitest can be run in one package.
export default defineConfig({
  plugins: [embed()],
  test: {
    // Tests wait for other processes more than they compute: with a worker for each of two cores, a quarter of them idles.
    maxWorkers: 3,
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
          setupFiles: [`${import.meta.dirname}/scripts/lib/unit-test-rules.mjs`],
          // Neither Node nor the modules are loaded anew for each file.
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: 'process', include: [tests], exclude: [...never, unit, browser, ...leftOut] },
      },
      { extends: true, test: { name: 'browser', include: [browser], exclude: never } },
    ],
  },
})
