import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { closest, compileCodec, issuesText, parseJson, quoted } from '@appfactory/sdk/internal'
import { checkManifest, dependencyPattern, namePattern, requirementPattern } from '@appfactory/sdk/manifest'
import semver from 'semver'
import { afterAll, describe, expect, test } from 'vitest'
import { decodeWav, sniffAudio } from '../../sdk/src/audio.js'
import { sentencesOf } from '../../sdk/src/sentences.js'
import { LineSplitter } from '../../sdk/src/wire/lines.js'
import { parseLine } from '../../sdk/src/wire/message.js'
import { salvage } from '../../sdk/src/wire/salvage.js'
import { checkAgainst } from '../src/config/schema-check.js'
import { SchemaChecker } from '../src/config/schema-checker.js'
import { LogBudget } from '../src/logs/log-budget.js'
import { parseDependency } from '../src/plugins/dependencies.js'
import { resolveEntry } from '../src/plugins/entry.js'
import { pluginEnvironment } from '../src/plugins/environment.js'
import { StderrLog } from '../src/process/stderr.js'
import { holds, parseRequirement } from '../src/python/requirement.js'
import { fits, parseSpecifiers } from '../src/python/version.js'

// Whoever parses what comes from outside takes twice the time for twice the text, whatever the text is.

/** From this time on, in ms, a run is longer than what a clock and a collection of garbage add. */
const longEnoughMs = 8

/** Largest input, in characters: what takes less than `longEnoughMs` even then is quick enough. */
const largest = 1 << 17

/** The most that a run of twice the input may take, in runs of the input. */
const mostGrowth = 2.5

/** A busy machine spoils a measurement: it is repeated before anybody is accused. */
const attempts = 3

/** Memory may grow by a step at one size; what takes more than its share of time does so at each. */
const sizes = 3

/** Texts of about `n` characters, each of a class that regular expressions are known to trip over. */
const texts: Record<string, (n: number) => string> = {
  'one letter': (n) => 'a'.repeat(n),
  'one letter, then what does not fit': (n) => `${'a'.repeat(n)}!`,
  'letters with separators': (n) => `${'a_'.repeat(n / 2)}!`,
  digits: (n) => `1.${'0'.repeat(n)}x`,
  tildes: (n) => `a${'~'.repeat(n)}\n`,
  dots: (n) => `${'.'.repeat(n)}a`,
  spaces: (n) => `a${' '.repeat(n)}a@`,
  'line ends': (n) => `a${'\n'.repeat(n)}a`,
  'marks of ends': (n) => 'A. '.repeat(n / 3),
  'quotes and brackets': (n) => `a.${`")`.repeat(n / 2)}a`,
  'open brackets': (n) => '['.repeat(n),
  'open braces': (n) => '{"a":'.repeat(n / 5),
  'long numbers': (n) => `[${'12345678901234567890,'.repeat(n / 21)}1]`,
  exponents: (n) => `[${'1e400,'.repeat(n / 6)}1]`,
  'many keys': (n) => `{${Array.from({ length: n / 12 }, (_, index) => `"k${index}":1`).join(',')}}`,
  escapes: (n) => `"${'\\u005f'.repeat(n / 6)}"`,
  'beginnings of messages': (n) => `x${'{"jsonrpc":"2.0"'.repeat(n / 16)}`,
  'marks of levels': (n) => '<3> a\n '.repeat(n / 7),
  ranges: (n) => `>=1 || ${'<2 - '.repeat(n / 5)}x`,
  slashes: (n) => '../'.repeat(n / 3),
  base64: (n) => `${'QUJD'.repeat(n / 4)}=`,
}

const manifest = { name: 'plugin', version: '1.0.0', contract: 'tts', entry_point: 'index.js' }
const decodeBytes = compileCodec({ type: 'string', contentEncoding: 'base64' }, 'decode')
const decodeObject = compileCodec(
  { type: 'object', properties: { text: { type: 'string' } }, additionalProperties: false },
  'decode',
)
const checker = new SchemaChecker({ deadlineMs: 60_000 })
afterAll(() => checker.close())

/** Who parses text, by what it is that is parsed. */
const parsers: Record<string, (text: string) => unknown> = {
  'the strings of a manifest': (text) => {
    for (const key of Object.keys(manifest)) checkManifest({ ...manifest, [key]: text })
    return checkManifest({
      ...manifest,
      icon: text,
      tags: [text],
      engines: { node: text },
      permissions: [text],
    })
  },
  'the keys of a manifest': (text) => checkManifest({ ...manifest, [text]: 1, engines: { [text]: 'x' } }),
  'a dependency': (text) => checkManifest({ ...manifest, dependencies: [text] }),
  'the pattern of dependencies': (text) => dependencyPattern.test(text),
  'the pattern of requirements': (text) => requirementPattern.test(text),
  'a dependency, to name and range': (text) => parseDependency(text),
  'a requirement of pip': (text) => parseRequirement(text),
  'versions of Python': (text) => fits(text, parseSpecifiers(text) ?? []),
  'a marker': (text) => holds(text, { os_name: text }),
  'a name': (text) => namePattern.test(text),
  'what a name is near': (text) => closest(text, ['tts_flite', 'stt_sphinx', 'llm_llama']),
  'what a name is near, of names as long': (text) => closest(text, [`b${text}`, `${text}c`]),
  'a name in a message': (text) => quoted(text),
  'an entry point, as a manifest limits it': (text) => {
    checkManifest({ ...manifest, entry_point: text })
    return ignoringErrors(() => resolveEntry('/nowhere', { entry_point: text.slice(0, 1000) }))
  },
  'a variable of the environment': (text) =>
    ignoringErrors(() => pluginEnvironment('p', { caller: { [text]: text } })),
  'a range of versions, as a manifest limits it': (text) => {
    checkManifest({ ...manifest, engines: { node: text } })
    return semver.validRange(text.slice(0, 300))
  },
  'a line of the wire': (text) => parseLine(text),
  'a line of the wire that is a string': (text) =>
    parseLine(JSON.stringify({ jsonrpc: '2.0', method: text, id: text })),
  'a file of JSON': (text) => ignoringErrors(() => parseJson(text)),
  'bytes, whole': (text) => splitLines(text, text.length + 1),
  'bytes, one by one': (text) => splitLines(text, 1),
  'bytes, by seven': (text) => splitLines(text, 7),
  'a message behind something printed': (text) => salvage(Buffer.from(text), '2.0'),
  base64: (text) => decodeBytes(text),
  'an argument that nobody knows': (text) => issuesText(decodeObject({ [text]: 1 }).issues),
  'the header of a sound': (text) => sniffAudio(Buffer.from(text)),
  'a sound of WAV': (text) => {
    const chunks = Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE'), Buffer.from(text)])
    sniffAudio(chunks)
    return decodeWav(chunks)
  },
  'a sound of WAV, of empty chunks': (text) => {
    const empty = Buffer.from('LIST\0\0\0\0'.repeat(text.length / 8), 'latin1')
    return decodeWav(Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE'), empty]))
  },
}

const slowParsers: Record<string, (text: string) => Promise<unknown>> = {
  'sentences, whole': (text) => all(sentencesOf(text)),
  'sentences, token by token': (text) => all(sentencesOf(tokens(text))),
  'what a plugin writes to stderr, whole': (text) => logStderr([text]),
  'what a plugin writes to stderr, in parts': (text) => logStderr(text.match(/[\s\S]{1,1000}/g) ?? []),
}

/** Each makes its check anew, so that a few texts have to do. */
const schemaParsers: Record<string, (text: string) => unknown> = {
  'a configuration with a schema': (text) =>
    checkAgainst(
      { properties: { a: { type: 'string', maxLength: 5, enum: ['x'] } } },
      { a: text, [text]: text },
    ),
  'the texts of a schema': (text) =>
    checkAgainst({ title: text, properties: { a: { const: text, default: text } } }, {}),
  'a configuration with a schema, in the thread': (text) =>
    checker
      .complete('p', { properties: { a: { type: 'string', pattern: '^[a-z]+$' } } }, { a: text })
      .catch(() => {}),
}

const textsForSchemas = ['one letter, then what does not fit', 'digits', 'spaces', 'escapes', 'slashes']

describe('twice the text takes twice the time at most', { timeout: 120_000 }, () => {
  for (const [title, parse] of Object.entries(parsers))
    test(title, () => expectLinear(async (text) => parse(text)))
  for (const [title, parse] of Object.entries(slowParsers)) test(title, () => expectLinear(parse))
  for (const [title, parse] of Object.entries(schemaParsers))
    test(title, () => expectLinear(async (text) => parse(text), textsForSchemas))
})

describe('twice as many take twice the time at most', { timeout: 120_000 }, () => {
  const many = <Item>(n: number, item: (index: number) => Item): Item[] =>
    Array.from({ length: n }, (_, index) => item(index))
  const keyed = (n: number, value: unknown): Record<string, unknown> =>
    Object.fromEntries(many(n, (index) => [`key${index}`, value]))

  const rows: Record<string, (n: number) => () => unknown> = {
    'dependencies of a manifest': (n) => manifestWith({ dependencies: many(n, () => 'left pad') }),
    'tags of a manifest': (n) => manifestWith({ tags: many(n, () => 5) }),
    'unknown keys of a manifest': (n) => manifestWith(keyed(n, 1)),
    'engines of a manifest': (n) => manifestWith({ engines: keyed(n, 5) }),
    'permissions of a manifest': (n) => manifestWith({ permissions: keyed(n, { a: 1 }) }),
    'keys of a default configuration': (n) =>
      manifestWith({ default_config: keyed(n, 1), config_schema: keyed(n, {}) }),
    'names that might be meant': (n) => {
      const names = many(n, (index) => `plugin_${index}`)
      return () => closest('plugin_x', names)
    },
    'arguments that nobody knows': (n) => {
      const args = keyed(n, 1)
      return () => issuesText(decodeObject(args).issues)
    },
    'properties that a schema does not know': (n) => {
      const config = keyed(n, 1)
      return () => checkAgainst({ additionalProperties: false }, config)
    },
    'items that a schema refuses': (n) => {
      const config = { list: many(n, () => 'x') }
      return () => checkAgainst({ properties: { list: { items: { type: 'number' } } } }, config)
    },
    'values that a schema allows': (n) => {
      const schema = { properties: { a: { enum: many(n, (index) => `v${index}`) } } }
      return () => checkAgainst(schema, { a: 'x' })
    },
  }
  for (const [title, make] of Object.entries(rows))
    test(title, async () => {
      await expectLinearOf(title, async (n) => make(Math.floor(n / 16)))
    })

  function manifestWith(change: Record<string, unknown>): () => unknown {
    const value = { ...manifest, ...change }
    return () => checkManifest(value)
  }
})

async function expectLinear(
  parse: (text: string) => Promise<unknown>,
  kinds: readonly string[] = Object.keys(texts),
): Promise<void> {
  for (const [kind, make] of Object.entries(texts).filter(([name]) => kinds.includes(name))) {
    await expectLinearOf(kind, async (n) => {
      const text = make(n)
      return () => parse(text)
    })
  }
}

/** `prepare` makes a run of the size `n`. */
async function expectLinearOf(kind: string, prepare: (n: number) => Promise<() => unknown>): Promise<void> {
  // What a run takes whatever the size is would hide how it grows.
  const enough = Math.max(longEnoughMs, 3 * (await timeOf(await prepare(32), 2)))
  let n = 2048
  while (n < largest && (await timeOf(await prepare(n), 1)) < enough) n *= 4
  let growth = Number.POSITIVE_INFINITY
  for (let size = 0; size < sizes && growth > mostGrowth; size++) {
    if (size > 0) n *= 2
    growth = await growthAt(await prepare(n), await prepare(2 * n))
  }
  expect(growth, `${kind}: ${2 * n} characters, in runs of ${n}`).toBeLessThanOrEqual(mostGrowth)
}

/** How many runs of the one a run of the other takes; 0 where it takes no time worth speaking of. */
async function growthAt(single: () => unknown, double: () => unknown): Promise<number> {
  let growth = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < attempts && growth > mostGrowth; attempt++) {
    const before = await timeOf(single, 2 + attempt)
    const after = await timeOf(double, 2 + attempt)
    growth = after < longEnoughMs ? 0 : Math.min(growth, after / before)
  }
  return growth
}

/** The least processor time of several runs, in ms: a busy machine takes longer. */
async function timeOf(run: () => unknown, runs: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let index = 0; index < runs; index++) {
    const begun = process.cpuUsage()
    await run()
    const { user, system } = process.cpuUsage(begun)
    least = Math.min(least, (user + system) / 1000)
  }
  return least
}

function ignoringErrors(run: () => unknown): unknown {
  try {
    return run()
  } catch {
    return undefined
  }
}

function splitLines(text: string, size: number): number {
  let lines = 0
  const count = (): void => {
    lines += 1
  }
  const splitter = new LineSplitter({ onLine: count, onOversize: count })
  const bytes = Buffer.from(text)
  for (let start = 0; start < bytes.length; start += size) splitter.push(bytes.subarray(start, start + size))
  splitter.end()
  return lines
}

async function all(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0
  for await (const _item of items) count += 1
  return count
}

async function* tokens(text: string): AsyncGenerator<string> {
  for (let start = 0; start < text.length; start += 4) yield text.slice(start, start + 4)
}

async function logStderr(parts: readonly string[]): Promise<void> {
  const stderr = new PassThrough({ highWaterMark: Number.MAX_SAFE_INTEGER })
  new StderrLog(stderr, new LogBudget(() => {}), () => {})
  const closed = once(stderr, 'close')
  for (const part of parts) stderr.write(part)
  stderr.end()
  await closed
}
