import { dirname } from 'node:path'
import type { PythonProgram } from '../python/interpreter.js'
import type { Launch } from './child-process.js'
import type { LaunchOptions } from './launch.js'
import { pythonRuntime } from './python-runtime.js'

/** Nothing of the environment or of the user's own packages changes what runs; text is UTF-8; a crash in C says where. */
const flags = ['-I', '-X', 'utf8', '-X', 'faulthandler']

/** Compiled files are matched by whole seconds: of two saves in one second, the first would run. */
const noCompiledFiles = '-B'

/** Python's own modules that are frozen into it have no lines for a debugger. */
const noFrozenModules = ['-X', 'frozen_modules=off']

/** The process of a plugin in Python: the interpreter, the SDK's runtime, the plugin's file. */
export function pythonLaunch(options: LaunchOptions, python: PythonProgram): Launch {
  const { dir, entryFile, env, isDevelopment = false, inspect } = options
  return {
    file: python.file,
    args: [
      ...flags,
      ...(isDevelopment ? [noCompiledFiles] : []),
      ...(inspect ? noFrozenModules : []),
      pythonRuntime(),
      entryFile,
      '--dir',
      dir,
      '--plugins-dir',
      dirname(dir),
      ...(inspect ? ['--debugger', inspect === 'break' ? 'break' : 'listen'] : []),
    ],
    cwd: dir,
    env,
  }
}
