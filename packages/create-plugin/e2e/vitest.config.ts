import { defineConfig } from 'vitest/config'
import { embed } from '../scripts/embed.mjs'

// Not among the projects of `npm test`: it needs a registry, and minutes.
export default defineConfig({
  plugins: [embed()],
  test: {
    dir: import.meta.dirname,
    include: ['*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 120_000,
    // One waits for the registry while others compute.
    sequence: { concurrent: true },
    maxConcurrency: 3,
  },
})
