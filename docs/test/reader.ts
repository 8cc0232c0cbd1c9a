import { execFile } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Block } from './blocks.js'
import { pluginFilesOf, shapeCheckOf } from './plugins.js'

export const root = fileURLToPath(new URL('../..', import.meta.url))

const execute = promisify(execFile)
const compiler = join(root, 'node_modules/typescript/bin/tsc')

/** What a command printed on stdout, and its exit status. */
export interface Outcome {
  output: string
  errors: string
  status: number
}

/** The folder in which a reader follows a document. It lies in docs/, so that the packages resolve. */
export class ReaderFolder {
  readonly path = mkdtempSync(join(root, 'docs/.tmp-'))

  constructor(readonly blocks: readonly Block[]) {
    for (const block of blocks) {
      for (const [file, text] of Object.entries(filesOf(block))) this.write(file, text)
      if (block.kind === 'append')
        appendFileSync(join(this.path, block.attributes['append'] ?? ''), `\n${block.text}`)
    }
    // Keeps a reader's vitest from going up to the configuration of this repository.
    this.write('vitest.config.js', 'export default {}\n')
    const options = {
      rootDir: '.',
      outDir: 'js',
      declaration: false,
      noImplicitOverride: false,
      noUnusedLocals: false,
      noUnusedParameters: false,
    }
    this.write(
      'tsconfig.json',
      JSON.stringify({
        extends: '../../tsconfig.base.json',
        compilerOptions: options,
        include: ['**/*.ts'],
        exclude: ['**/dist', 'js'],
      }),
    )
  }

  write(file: string, text: string): void {
    mkdirSync(dirname(join(this.path, file)), { recursive: true })
    writeFileSync(join(this.path, file), text)
  }

  /** Type-checks all TypeScript of the document in one go, and compiles it to `js/`. */
  async compile(): Promise<Outcome> {
    const hasTypeScript = readdirSync(this.path, { recursive: true }).some((file) =>
      /\.ts$/.test(String(file)),
    )
    if (!hasTypeScript) return { output: '', errors: '', status: 0 }
    return run(process.execPath, [compiler, '-p', this.path], this.path)
  }

  /** Runs a `run` block. */
  run(block: Block): Promise<Outcome> {
    const cwd = block.attributes['in'] === undefined ? root : join(this.path, block.attributes['in'])
    if (block.language === 'sh') return run('bash', ['-euo', 'pipefail', '-c', block.text], cwd)
    return run(process.execPath, [join(this.path, 'js', sourceName(block).replace(/ts$/, 'js'))], cwd)
  }

  /** Runs a test in Python with pytest. */
  test({ attributes: { test = '', from }, text, ...block }: Block): Promise<Outcome> {
    const folder = join(this.path, test)
    if (from !== undefined) this.#copyPlugin(join(this.path, from), folder)
    const file = `tests/test_${sourceName({ ...block, attributes: {}, text: '' }).replace(/\.\w+$/, '.py')}`
    this.write(join(test, file), text)
    return run('python', ['-m', 'pytest', '-q', file], folder)
  }

  /** Under the name of its new folder. */
  #copyPlugin(from: string, to: string): void {
    cpSync(from, to, { recursive: true })
    const manifest = join(to, 'manifest.json')
    const content: object = JSON.parse(readFileSync(manifest, 'utf8'))
    writeFileSync(manifest, JSON.stringify({ ...content, name: basename(to) }))
  }

  has(file: string): boolean {
    return existsSync(join(this.path, file))
  }

  /** Whether a file or folder of that name is anywhere. */
  hasSomewhere(name: string): boolean {
    return readdirSync(this.path, { recursive: true }).some((file) => basename(String(file)) === name)
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

function filesOf(block: Block): Record<string, string> {
  const { language, kind, attributes, text } = block
  if (kind === 'file') return { [attributes['file'] ?? '']: text }
  if (language === 'python') return kind === 'test' || kind === 'append' ? {} : pluginFilesOf(block)
  if (kind === 'plugin' && language === 'ts') return pluginFilesOf(block)
  if (kind === 'members') return pluginFilesOf(block)
  if (kind === 'shape') return { [sourceName(block)]: shapeCheckOf(block) }
  if (kind === 'run' && language === 'ts') return { [sourceName(block)]: text }
  if (kind === 'run' && language === 'js') return { [`js/${sourceName(block)}`]: text }
  return {}
}

function sourceName({ place, language }: Block): string {
  return `${place.replace(/\W/g, '_')}.${language}`
}

async function run(command: string, args: readonly string[], cwd: string): Promise<Outcome> {
  // No registry is asked and no colour is printed; plugins of a reader's folder need nothing else of the environment.
  const env = { ...process.env, npm_config_offline: 'true', NO_COLOR: '1', FORCE_COLOR: undefined, CI: '1' }
  try {
    const { stdout, stderr } = await execute(command, args, { cwd, env, timeout: 60_000 })
    return { output: stdout, errors: stderr, status: 0 }
  } catch (error) {
    const {
      stdout = '',
      stderr = String(error),
      code,
    } = error as { stdout?: string; stderr?: string; code?: number }
    return { output: stdout, errors: stderr, status: typeof code === 'number' ? code : 1 }
  }
}
