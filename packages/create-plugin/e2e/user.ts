import {
  type ChildProcessWithoutNullStreams,
  type ExecFileException,
  execFile,
  spawn,
} from 'node:child_process'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'

const pnpm = join(dirname(createRequire(import.meta.url).resolve('pnpm')), 'bin/pnpm.cjs')

/** Somebody with an empty folder, a package manager, and the registry of the test. */
export class User {
  readonly folder: string
  readonly #env: NodeJS.ProcessEnv

  /** `bin`: a folder whose commands come before all others. */
  constructor(folder: string, registry: string, caches: string, bin?: string) {
    this.folder = folder
    const own = Object.entries(process.env).filter(
      ([key]) => !/^(npm|pnpm)_|^(NODE_ENV|VITEST.*|CI)$/i.test(key),
    )
    this.#env = {
      ...Object.fromEntries(own),
      npm_config_registry: registry,
      npm_config_cache: join(caches, 'npm'),
      npm_config_store_dir: join(caches, 'pnpm'),
      npm_config_audit: 'false',
      npm_config_fund: 'false',
      npm_config_update_notifier: 'false',
      npm_config_yes: 'true',
      XDG_CACHE_HOME: join(caches, 'xdg'),
      NO_COLOR: '1',
      ...(bin === undefined ? {} : { PATH: `${bin}${delimiter}${process.env['PATH']}` }),
    }
  }

  npm(args: readonly string[], folder = ''): Promise<string> {
    return this.#run('npm', args, folder)
  }

  npx(args: readonly string[], folder = ''): Promise<string> {
    return this.#run('npx', args, folder)
  }

  pnpm(args: readonly string[], folder = ''): Promise<string> {
    return this.#run(process.execPath, [pnpm, ...args], folder)
  }

  node(args: readonly string[], folder = ''): Promise<string> {
    return this.#run(process.execPath, args, folder)
  }

  /** Starts a command that goes on. */
  start(command: string, args: readonly string[], folder: string): ChildProcessWithoutNullStreams {
    const cwd = join(this.folder, folder)
    return spawn('npx', [command, ...args], { cwd, env: this.#env, shell: process.platform === 'win32' })
  }

  /** What the command prints; what it complains of is in the error. */
  #run(file: string, args: readonly string[], folder: string): Promise<string> {
    const shell = process.platform === 'win32' && file !== process.execPath
    const options = {
      cwd: join(this.folder, folder),
      env: this.#env,
      shell,
      timeout: 120_000,
      maxBuffer: 2 ** 26,
    }
    return new Promise((resolve, reject) => {
      execFile(file, args, options, (error: ExecFileException | null, stdout: string, stderr: string) => {
        if (!error) resolve(stdout)
        else reject(new Error(`${file} ${args.join(' ')} failed (${error.code}):\n${stdout}\n${stderr}`))
      })
    })
  }
}
