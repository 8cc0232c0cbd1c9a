import { z } from 'zod'
import { namePattern } from './name-pattern.js'

export { namePattern }

/** Semantic Versioning 2.0.0. */
const versionPattern =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$/

/** `zod`, `zod@^4`, `@scope/name@>=1.2` or, as pip writes it, `zod>=4`. */
export const dependencyPattern = /^(@[a-z0-9~][\w.~-]*\/)?[a-z0-9~][\w.~-]*(\s*@\s*[^\s@].*|\s*[<>=^~].*)?$/

const jsonObject = z.record(z.string(), z.unknown())

const permission = z.union([z.boolean(), z.string(), z.array(z.string())], {
  error: 'must be true, false, a path or an array of paths',
})

/**
 * `manifest.json`, as a Zod schema. The `Manifest` type and the shipped `manifest.schema.json` are made from it.
 * Unknown keys are kept: a manifest may be newer than the SDK that reads it.
 */
export const manifestSchema = z
  .looseObject({
    $schema: z.string().optional().describe('Gives completion in an editor.'),
    name: z
      .string()
      .regex(namePattern, 'must be lower-case words joined by _ or -')
      .max(100)
      .describe('Unique identifier; equals the name of the folder.'),
    version: z
      .string()
      .regex(versionPattern, 'must be a semantic version such as 1.0.0')
      .describe('Semantic version, such as 1.0.0.'),
    contract: z
      .string()
      .regex(namePattern, 'must be lower-case words joined by _ or -')
      .describe('Contract type: tts, stt, llm, or one of your own.'),
    entry_point: z
      .string()
      .min(1)
      .describe('Module path inside the folder, with or without its extension: dist/index.js.'),
    display_name: z.string().optional().describe('Human-readable name.'),
    description: z.string().optional().describe('What the plugin does.'),
    author: z.string().optional().describe('Who wrote it.'),
    license: z.string().optional().describe('SPDX identifier, such as MIT.'),
    repository: z.string().optional().describe('Where the source is.'),
    homepage: z.string().optional().describe('Where to read more.'),
    runtime: z.enum(['node', 'python']).default('node').describe('What runs the entry point.'),
    engines: z
      .record(z.string(), z.string())
      .optional()
      .describe('Semver ranges of the host and of node: {"host": ">=0.1", "node": ">=20"}.'),
    platforms: z
      .array(z.string())
      .optional()
      .describe('Where it runs, as process.platform names it: linux, darwin, win32.'),
    dependencies: z
      .array(
        z.string().regex(dependencyPattern, 'must be an npm package with an optional range, such as zod@^4'),
      )
      .default([])
      .describe('npm packages that must be there, each with an optional range: zod@^4.'),
    gpu_required: z.boolean().optional().describe('Does not run without a GPU.'),
    gpu_recommended: z.boolean().optional().describe('Runs better with a GPU.'),
    min_memory_mb: z.number().nonnegative().optional().describe('Memory that it needs, in MB.'),
    config_schema: jsonObject.optional().describe('JSON Schema of the configuration.'),
    default_config: jsonObject.optional().describe('Configuration that is used where nobody says otherwise.'),
    capabilities: z
      .union([z.array(z.string()), jsonObject])
      .optional()
      .describe('What it can do, for people and programs that choose.'),
    tags: z.array(z.string()).optional().describe('Words to find it by.'),
    icon: z.string().optional().describe('Path of a picture inside the folder.'),
    screenshots: z.array(z.string()).optional().describe('Paths of pictures inside the folder.'),
    permissions: z
      .union([z.array(z.string()), z.record(z.string(), permission)])
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

/** Checks `value` (the parsed JSON of a manifest). Every message starts with the key that it is about. */
export function checkManifest(value: unknown): ManifestCheck {
  const warnings = unknownKeys(value).map((key) => `${key}: unknown key, ignored`)
  const parsed = manifestSchema.safeParse(value)
  if (parsed.success) return { valid: true, manifest: parsed.data, warnings }
  const errors = parsed.error.issues
    .map(narrowed)
    .map(({ path, message }) => `${path.map(String).join('.') || 'manifest'}: ${message}`)
  return { valid: false, errors, warnings }
}

/** Where the value fits none of several forms: what is wrong with it in the form that it comes closest to. */
function narrowed(issue: z.core.$ZodIssue): { path: PropertyKey[]; message: string } {
  if (issue.code !== 'invalid_union') return issue
  const closest = issue.errors.flat().find(({ path }) => path.length > 0)
  return closest === undefined ? issue : narrowed({ ...closest, path: [...issue.path, ...closest.path] })
}

function unknownKeys(value: unknown): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
  return Object.keys(value).filter((key) => !Object.hasOwn(manifestSchema.shape, key))
}

/** The JSON Schema of a manifest, as shipped in `@appfactory/sdk/manifest.schema.json`. */
export function manifestJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(manifestSchema, { io: 'input' }), title: 'App Factory plugin manifest' }
}
