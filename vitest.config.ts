import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Tests wait for other processes more than they compute: one worker for each core.
  test: { maxWorkers: 2, projects: ['packages/*', 'examples/plugins/*', 'examples/voice-assistant', 'docs'] },
})
