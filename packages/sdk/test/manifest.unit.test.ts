import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import {
  checkManifest,
  dependencyPattern,
  manifestJsonSchema,
  manifestSchema,
  requirementPattern,
  wrongDependencies,
} from '@appfactory/sdk/manifest'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

const minimal = { name: 'my_tts', version: '1.0.0', contract: 'tts', entry_point: 'dist/index.js' }

/** Of the guide: “Example Manifest”, with npm packages where it has pip's. */
const guideExample = {
  name: 'tts_kokoro',
  version: '1.2.0',
  contract: 'tts',
  entry_point: 'main',
  display_name: 'Kokoro TTS',
  description: 'High-quality neural TTS using Kokoro models',
  author: 'Piovis Development',
  dependencies: ['torch>=2.0.0', 'soundfile>=0.12.0', 'numpy>=1.24.0'],
  config_schema: {
    type: 'object',
    properties: {
      model_path: { type: 'string', description: 'Path to model weights' },
      device: { type: 'string', enum: ['cpu', 'cuda'], default: 'cpu' },
      sample_rate: { type: 'integer', default: 24000 },
    },
    required: ['model_path'],
  },
}

describe('valid', () => {
  it.each([
    ['the least', minimal],
    ['the guide’s example', guideExample],
    ['a name with dashes', { ...minimal, name: 'my-tts-2' }],
    ['a pre-release with build data', { ...minimal, version: '1.0.0-rc.1+build.5' }],
    ['a contract of one’s own', { ...minimal, contract: 'embedding' }],
    ['all optional fields', { ...minimal, ...everyOptionalField() }],
    ['capabilities as an object', { ...minimal, capabilities: { streaming: true } }],
    [
      'permissions as an object',
      { ...minimal, permissions: { network: true, worker: false, fs_read: './models', fs_write: ['./a'] } },
    ],
  ])('%s', (_, manifest) => {
    expect(checkManifest(manifest)).toMatchObject({ valid: true, warnings: [] })
  })

  it('has its defaults filled in', () => {
    expect(checkManifest(minimal)).toMatchObject({
      manifest: { ...minimal, dependencies: [] },
    })
    expect(checkManifest(minimal)).not.toHaveProperty('manifest.runtime')
  })

  it('says what is missing, of the wrong kind or spelled wrong in plain words', () => {
    const { contract: _missing, ...rest } = { ...minimal, contrct: 'tts', tags: 7, engines: [] }
    expect(checkManifest(rest)).toEqual({
      valid: false,
      errors: [
        'contract: is required',
        'engines: must be an object, not an array of 0',
        'tags: must be an array, not 7',
      ],
      warnings: ['contrct: unknown key, ignored; did you mean contract?'],
    })
    expect(checkManifest('text')).toMatchObject({
      errors: ['manifest: must be an object, not the string "text"'],
    })
  })

  it('keeps an unknown key, with a warning that names it', () => {
    const check = checkManifest({ ...minimal, flavour: 'vanilla' })
    expect(check).toMatchObject({ valid: true, manifest: { flavour: 'vanilla' } })
    expect(check.warnings).toHaveLength(1)
    expect(check.warnings[0]).toMatch(/^flavour:/)
  })
})

describe('not valid', () => {
  it.each([
    ['name', { name: undefined }],
    ['name', { name: 'MyTts' }],
    ['name', { name: '1tts' }],
    ['name', { name: 'my__tts' }],
    ['name', { name: 'my_tts_' }],
    ['name', { name: '../tts' }],
    ['name', { name: '' }],
    ['name', { name: 'a'.repeat(101) }],
    ['name', { name: 5 }],
    ['version', { version: undefined }],
    ['version', { version: '1.0' }],
    ['version', { version: 'v1.0.0' }],
    ['version', { version: '01.0.0' }],
    ['contract', { contract: undefined }],
    ['contract', { contract: 'TTS' }],
    ['entry_point', { entry_point: undefined }],
    ['entry_point', { entry_point: '' }],
    ['runtime', { runtime: 'ruby' }],
    ['dependencies', { dependencies: 'zod' }],
    ['dependencies.1', { dependencies: ['zod', 'left pad'] }],
    ['python_requires', { python_requires: 3.9 }],
    ['max_concurrency', { max_concurrency: 0 }],
    ['max_concurrency', { max_concurrency: 1.5 }],
    ['config_schema', { config_schema: [] }],
    ['default_config', { default_config: 'x' }],
    ['min_memory_mb', { min_memory_mb: -1 }],
    ['gpu_required', { gpu_required: 'yes' }],
    ['engines.node', { engines: { node: 20 } }],
    ['tags', { tags: 'fast' }],
    ['capabilities', { capabilities: 'streaming' }],
    ['permissions', { permissions: 'network' }],
    ['permissions.1', { permissions: ['network', 7] }],
    ['permissions.fs_read', { permissions: { network: true, fs_read: { path: './models' } } }],
    ['permissions.fs_write', { permissions: { fs_write: null } }],
    ['permissions.child_process', { permissions: { child_process: 1 } }],
    ['permissions.fs_read.0', { permissions: { fs_read: [7] } }],
    ['permissions.0', { permissions: ['fs_read:./a\u0000'] }],
    ['permissions.fs_read.0', { permissions: { fs_read: ['./a\u0000'] } }],
    ['entry_point', { entry_point: 'index.js\u0000' }],
  ])('%s: %o', (key, change) => {
    const check = checkManifest({ ...minimal, ...change })
    expect(check).toMatchObject({ valid: false })
    expect(check.valid ? [] : check.errors).toEqual([expect.stringMatching(new RegExp(`^${key}: `))])
  })

  it('names every fault, and still warns of unknown keys', () => {
    const check = checkManifest({ name: 'X', version: '1', flavour: 1 })
    if (check.valid) throw new Error('must not be valid')
    expect(check.errors.map((error) => error.split(':')[0])).toEqual([
      'name',
      'version',
      'contract',
      'entry_point',
    ])
    expect(check.warnings).toEqual([expect.stringMatching(/^flavour:/)])
  })

  it.each([null, undefined, 'text', 7, true, [], [minimal]])('%o is no manifest at all', (value) => {
    const check = checkManifest(value)
    expect(check.valid ? [] : check.errors).toEqual([expect.stringMatching(/^manifest: /)])
  })
})

describe('a manifest of very many, or very long, parts', () => {
  const long = 'x'.repeat(100_000)
  const many = (item: unknown): unknown[] => Array.from({ length: 2000 }, () => item)

  it.each([
    ['$schema', long],
    ['version', `1.0.0-${long}`],
    ['contract', long],
    ['entry_point', long],
    ['display_name', long],
    ['description', long],
    ['author', long],
    ['license', long],
    ['repository', long],
    ['homepage', long],
    ['icon', long],
    ['engines.node', { node: long }],
    ['engines', Object.fromEntries(many(0).map((_, index) => [`e${index}`, '*']))],
    ['platforms', many('linux')],
    ['platforms.0', [long]],
    ['dependencies', many('zod')],
    ['dependencies.0', [`zod@${long}`]],
    ['capabilities', many('fast')],
    ['tags', many('fast')],
    ['tags.0', [long]],
    ['screenshots', many('one.png')],
    ['permissions', many('network')],
    ['permissions.fs_read', { fs_read: many('./a') }],
    ['permissions.fs_read', { fs_read: long }],
  ])('is not valid: %s', (key, value) => {
    const check = checkManifest({ ...minimal, [String(key).split('.')[0] as string]: value })
    expect(check.valid ? [] : check.errors).toEqual([expect.stringMatching(`^${key.replace('$', '\\$')}: `)])
    expect(JSON.stringify(check).length).toBeLessThan(2000)
  })

  it('has its first errors and warnings listed, and the others counted', () => {
    const unknown = Object.fromEntries(many(0).map((_, index) => [`key${index}${long}`, 1]))
    const check = checkManifest({ ...minimal, ...unknown, dependencies: many('left pad').slice(1500) })
    expect(check.valid ? [] : check.errors).toHaveLength(21)
    expect(check.warnings).toHaveLength(21)
    expect(check.warnings.at(-1)).toContain('1980 more')
    expect(JSON.stringify(check).length).toBeLessThan(10_000)
  })
})

describe('dependencies', () => {
  it.each([
    'zod',
    'zod@^4',
    'zod@>=4 <5',
    'zod@latest',
    'zod>=4',
    'zod==4.0.0',
    'zod~=4.1',
    'zod >= 4',
    '@scope/name',
    '@scope/name@1.2.3',
    '@scope/name>=1.2',
    'lodash.merge',
    'socket.io-client@4',
  ])('%s is one', (text) => {
    expect(text).toMatch(dependencyPattern)
  })

  it.each([
    '',
    ' ',
    'left pad',
    '@scope',
    '@scope/',
    'zod@',
    '--registry=http://evil',
    '-g',
    '../x',
    '/x',
    'Zod',
  ])('%o is none', (text) => {
    expect(text).not.toMatch(dependencyPattern)
  })
})

describe('requirements of Python', () => {
  it.each([
    'numpy',
    'PyYAML>=6',
    'Pillow',
    'ruamel.yaml',
    'torch >= 2.0.0 , < 3',
    'numpy!=1.24,~=1.20',
    'torch==2.*',
    'torch===2.1+cu118',
    'misaki[en]',
    'misaki [en, ja]>=0.9',
    'tomli (>=1,<3)',
    'tomli; python_version < "3.11"',
    'tomli>=2 ; python_version < "3.11" and sys_platform == "linux"',
    'speech @ https://example.org/speech-1.0-py3-none-any.whl',
    'speech[all] @ git+https://example.org/speech@main ; os_name == "posix"',
  ])('%s is one', (text) => {
    expect(text).toMatch(requirementPattern)
    expect(checkManifest({ ...minimal, dependencies: [text] })).toMatchObject({ valid: true })
  })

  it.each([
    '',
    ' ',
    'left pad',
    'numpy>=',
    'numpy>=1 2',
    'numpy>=1\n--pre',
    'numpy;',
    'numpy @',
    'misaki[en',
    '--index-url=http://evil',
    '-r other.txt',
    '../x',
    '@scope/name',
  ])('%o is none', (text) => {
    expect(text).not.toMatch(requirementPattern)
  })

  it('are told from packages of npm by what runs the plugin', () => {
    const check = checkManifest({ ...minimal, dependencies: ['zod', 'zod@^4', 'misaki[en]'] })
    if (!check.valid) throw new Error('must be valid')
    expect(wrongDependencies(check.manifest, 'node')).toEqual([
      expect.stringMatching(/^dependencies\.2: .*npm/),
    ])
    expect(wrongDependencies(check.manifest, 'python')).toEqual([
      expect.stringMatching(/^dependencies\.1: .*pip/),
    ])
  })
})

describe('the JSON Schema', () => {
  const shipped = JSON.parse(
    readFileSync(createRequire(import.meta.url).resolve('@appfactory/sdk/manifest.schema.json'), 'utf8'),
  ) as { required: string[]; properties: Record<string, { description?: string }> }

  it('is shipped as it is made from the Zod schema', () => {
    expect(shipped).toEqual(JSON.parse(JSON.stringify(manifestJsonSchema())))
  })

  it('requires what the guide requires, and nothing more', () => {
    expect(shipped.required).toEqual(['name', 'version', 'contract', 'entry_point'])
  })

  it('knows the same keys as the Zod schema, and describes each', () => {
    expect(Object.keys(shipped.properties)).toEqual(Object.keys(manifestSchema.shape))
    for (const [key, { description }] of Object.entries(shipped.properties))
      expect(description, key).toBeTruthy()
  })

  it('takes the guide’s example, and refuses one without a name', () => {
    const fromJson = z.fromJSONSchema(shipped as never)
    expect(fromJson.safeParse(guideExample).success).toBe(true)
    const { name: _name, ...nameless } = guideExample
    expect(fromJson.safeParse(nameless).success).toBe(false)
    expect(fromJson.safeParse({ ...guideExample, version: 'one' }).success).toBe(false)
  })
})

function everyOptionalField(): Record<string, unknown> {
  return {
    $schema: 'https://example.org/manifest.schema.json',
    display_name: 'My TTS',
    description: 'Speaks',
    author: 'Ada',
    license: 'MIT',
    repository: 'https://example.org/git',
    homepage: 'https://example.org',
    runtime: 'python',
    engines: { host: '>=0.1', node: '>=20' },
    python_requires: '>=3.10',
    max_concurrency: 4,
    platforms: ['linux'],
    dependencies: ['zod@^4'],
    gpu_required: false,
    gpu_recommended: true,
    min_memory_mb: 512,
    config_schema: { type: 'object' },
    default_config: { voice: 'default' },
    capabilities: ['streaming'],
    tags: ['fast'],
    icon: 'icon.png',
    screenshots: ['one.png'],
    permissions: ['network'],
  }
}
