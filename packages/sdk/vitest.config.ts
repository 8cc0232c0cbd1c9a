import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What is awaited may take seconds where the cores are busy with other tests.
    expect: { poll: { timeout: 20_000 } },
    // Mutants that do not end when they are told to are waited for side by side.
    maxConcurrency: 12,
  },
})
