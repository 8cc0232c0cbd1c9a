import { fileURLToPath } from 'node:url'

/** The file of the SDK that runs a plugin in Python. */
export function pythonRuntime(): string {
  return fileURLToPath(import.meta.resolve('@appfactory/sdk/python/appfactory/run.py'))
}
