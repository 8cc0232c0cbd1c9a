import { z } from 'zod'
import { closest } from './closest.js'
import { nameValue } from './codec/issues.js'
import { namePattern } from './name-pattern.js'
import { shortened } from './quote.js'

export { namePattern }

/** Semantic Versioning 2.0.0. */
const versionPattern =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/

/**
 * `zod`, `zod@^4`, `@scope/name@>=1.2` or, as pip writes it, `zod>=4`. No part can begin with what the part before it may
 * end with, so that the time to match is linear in the length.
 */
export const dependencyPattern = /^(@[a-z0-9][\w.-]*\/)?[a-z0-9][\w.-]*(\s*@\s*[^\s@].*|\s*[<>=^~].*)?$/

/**
 * A requirement of pip's, as PEP 508 has it: `numpy`, `torch>=2`, `misaki[en]`, `numpy!=1.24; python_version < "3.12"` or
 * `name @ https://…`. The time to match is linear, for the reason above.
 */
export const requirementPattern =
  /^[A-Za-z0-9][\w.-]*[ \t]*(\[[\w \t,.-]*\][ \t]*)?(@[ \t]*[a-zA-Z][\w+.-]*:\S+([ \t]+(;.+)?)?|(\([ \t]*)?((===|[<>=!~]=|[<>])[ \t]*[\w.*+!-]+[ \t]*(,[ \t]*)?)*(\)[ \t]*)?(;.+)?)$/

/** What each runtime takes as a dependency. */
const dependencyForms = {
  node: {
    pattern: dependencyPattern,
    message: 'must be an npm package with an optional range, such as zod@^4',
  },
  python: {
    pattern: requirementPattern,
    message: 'must be a requirement of pip, such as numpy>=1.24',
  },
}

/** Either of the two. */
const anyDependency = new RegExp(`${dependencyPattern.source}|${requirementPattern.source}`)

/** Most characters of the strings of a manifest, by what they are. */
const longest = { name: 100, version: 256, label: 200, text: 10_000, address: 2000, path: 1000, range: 300 }

/** Most items of a manifest's lists. */
const mostItems = { dependencies: 1000, other: 100 }

/** Most errors, and most warnings, that a check lists. */
const mostReported = 20

const jsonObject = z.record(z.string(), z.unknown())

const label = z.string().max(longest.label)
const address = z.string().max(longest.address)
const path = z
  .string()
  .max(longest.path)
  .refine((text) => !text.includes('\0'), 'must not hold a NUL')

const permission = z.union([z.boolean(), path, z.array(path).max(mostItems.other)], {
  error: `must be true, false, a path or an array of at most ${mostItems.other} paths of at most ${longest.path} characters without a NUL`,
})

/**
 * `manifest.json`, as a Zod schema. The `Manifest` type and the shipped `manifest.schema.json` are made from it.
 * Unknown keys are kept: a manifest may be newer than the SDK that reads it.
 */
export const manifestSchema = z
  .looseObject({
    $schema: address.optional().describe('Gives completion in an editor.'),
    name: z
      .string()
      .regex(namePattern, 'must be lower-case words joined by _ or -')
      .max(longest.name)
      .describe('Unique identifier; equals the name of the folder.'),
    version: z
      .string()
      .regex(versionPattern, 'must be a semantic version such as 1.0.0')
      .max(longest.version)
      .describe('Semantic version, such as 1.0.0.'),
    contract: z
      .string()
      .regex(namePattern, 'must be lower-case words joined by _ or -')
      .max(longest.name)
      .describe('Contract type: tts, stt, llm, embedding, or one of your own.'),
    entry_point: path
      .min(1)
      .describe('Module path inside the folder, with or without its extension: dist/index.js.'),
    display_name: label.optional().describe('Human-readable name.'),
    description: z.string().max(longest.text).optional().describe('What the plugin does.'),
    author: label.optional().describe('Who wrote it.'),
    license: label.optional().describe('SPDX identifier, such as MIT.'),
    repository: address.optional().describe('Where the source is.'),
    homepage: address.optional().describe('Where to read more.'),
    runtime: z
      .enum(['node', 'python'])
      .optional()
      .describe('What runs the entry point. Default: python for a .py file, else node.'),
    engines: z
      .record(z.string(), z.string().max(longest.range))
      .refine(
        (engines) => Object.keys(engines).length <= mostItems.other,
        `has more than ${mostItems.other} keys`,
      )
      .optional()
      .describe('Semver ranges of the host and of node: {"host": ">=0.1", "node": ">=20"}.'),
    python_requires: z
      .string()
      .max(longest.range)
      .optional()
      .describe('Versions of Python that it runs on: >=3.10.'),
    max_concurrency: z
      .int()
      .positive()
      .optional()
      .describe('Most calls and streams that one process takes at once; the host keeps the others back.'),
    replicas: z
      .enum(['independent'], { error: 'must be "independent"' })
      .optional()
      .describe('independent: of several processes, each may have a state of its own (captureState).'),
    platforms: z
      .array(label)
      .max(mostItems.other)
      .optional()
      .describe('Where it runs: linux, macos, windows, all, or a name that process.platform has.'),
    dependencies: z
      .array(
        z
          .string()
          .regex(
            anyDependency,
            'must be an npm package such as zod@^4, or for Python a requirement such as numpy>=1.24',
          )
          .max(longest.range),
      )
      .max(mostItems.dependencies)
      .default([])
      .describe('Packages that must be there, each with an optional range: zod@^4; for Python numpy>=1.24.'),
    gpu_required: z.boolean().optional().describe('Does not run without a GPU.'),
    gpu_recommended: z.boolean().optional().describe('Runs better with a GPU.'),
    min_memory_mb: z.number().nonnegative().optional().describe('Memory that it needs, in MB.'),
    config_schema: jsonObject.optional().describe('JSON Schema of the configuration.'),
    default_config: jsonObject.optional().describe('Configuration that is used where nobody says otherwise.'),
    capabilities: z
      .union([z.array(label).max(mostItems.other), jsonObject])
      .optional()
      .describe('What it can do, for people and programs that choose.'),
    tags: z.array(label).max(mostItems.other).optional().describe('Words to find it by.'),
    icon: path.optional().describe('Path of a picture inside the folder.'),
    screenshots: z
      .array(path)
      .max(mostItems.other)
      .optional()
      .describe('Paths of pictures inside the folder.'),
    permissions: z
      .union([z.array(path).max(mostItems.other), z.record(z.string(), permission)])
      .optional()
      .describe('What it asks to be allowed.'),
  })
  .describe('manifest.json of an App Factory plugin')

/** A plugin's manifest, with defaults filled in. */
export type Manifest = z.output<typeof manifestSchema>

/** What came of checking a manifest. `warnings` never make it invalid. */
export type ManifestCheck =
  | { valid: true; manifest: Manifest; warnings: string[] }
  | { valid: false; errors: string[]; warnings: string[] }

/**
 * Checks `value` (the parsed JSON of a manifest) in a time that is linear in its size. Every message starts with the key that
 * it is about; of very many, the first 20 are listed, and how many more there are.
 */
export function checkManifest(value: unknown): ManifestCheck {
  const warnings = firstOf(unknownKeys(value), (key) => `${shortened(key)}: ${unknownKey(key)}`)
  const parsed = manifestSchema.safeParse(value)
  if (parsed.success) return { valid: true, manifest: parsed.data, warnings }
  const errors = firstOf(parsed.error.issues, (issue) => {
    const precise = narrowed(issue)
    return `${shortened(precise.path.map(String).join('.')) || 'manifest'}: ${worded(precise, value)}`
  })
  return { valid: false, errors, warnings }
}

/** What no dependency of that runtime can be. Each message starts with its key. */
export function wrongDependencies({ dependencies }: Manifest, runtime: 'node' | 'python'): string[] {
  const { pattern, message } = dependencyForms[runtime]
  const wrong = [...dependencies.entries()].filter(([, text]) => !pattern.test(text))
  return firstOf(wrong, ([index]) => `dependencies.${index}: ${message}`)
}

function firstOf<Item>(items: readonly Item[], say: (item: Item) => string): string[] {
  const more = items.length - mostReported
  const first = items.slice(0, mostReported).map(say)
  return more > 0 ? [...first, `manifest: ... ${more} more of the kind`] : first
}

/** Where the value fits none of several forms: what is wrong with it in the form that it comes closest to. */
function narrowed(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue
  const best = issue.errors.flat().find(({ path, code }) => path.length > 0 || code === 'too_big')
  return best === undefined ? issue : narrowed({ ...best, path: [...issue.path, ...best.path] })
}

/** What is wrong, in the words of the other messages. */
function worded(issue: z.core.$ZodIssue, manifest: unknown): string {
  if (issue.code !== 'invalid_type') return issue.message
  const given = issue.path.reduce<unknown>(
    (holder, key) => (typeof holder === 'object' && holder !== null ? Reflect.get(holder, key) : undefined),
    manifest,
  )
  if (given === undefined && issue.path.length > 0) return 'is required'
  const kind = issue.expected === 'record' ? 'object' : issue.expected
  return `must be ${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}, not ${nameValue(given)}`
}

function unknownKey(key: string): string {
  const meant = closest(key, Object.keys(manifestSchema.shape))
  return meant === undefined ? 'unknown key, ignored' : `unknown key, ignored; did you mean ${meant}?`
}

function unknownKeys(value: unknown): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
  return Object.keys(value).filter((key) => !Object.hasOwn(manifestSchema.shape, key))
}

/** The JSON Schema of a manifest, as shipped in `@appfactory/sdk/manifest.schema.json`. */
export function manifestJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(manifestSchema, { io: 'input' }), title: 'App Factory plugin manifest' }
}
