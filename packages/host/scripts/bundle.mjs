import { fileURLToPath } from 'node:url'
import { bundle } from '../../../scripts/lib/bundle.mjs'

await bundle(fileURLToPath(new URL('..', import.meta.url)), [
  'index',
  'internal',
  'opentelemetry',
  'testing',
  'cli/main',
  'config/schema-worker',
  'metrics/index',
  'tester/serve',
])
