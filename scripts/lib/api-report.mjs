import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor'
import { published, root } from './pack.mjs'

/** The public API of each package as text: what each of its entry points exports, and nothing else. */
export function apiReports() {
  const work = mkdtempSync(join(tmpdir(), 'appfactory-api-'))
  try {
    return published.flatMap((folder) => {
      const text = reportOf(join(root, 'packages', folder), work)
      return text === '' ? [] : [{ path: `api/${folder}.txt`, text }]
    })
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function reportOf(folder, work) {
  const { exports = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const entries = Object.entries(exports).filter(([, { types }]) => types)
  if (entries.length === 0) return ''
  const bodies = entries.map(
    ([name, { types }]) => `\n// ${name}\n${exportsOf(folder, join(folder, types), work)}`,
  )
  return `// Made by \`pnpm generate\` from what is built; a change here is a change of the public API.\n${bodies.join('')}`
}

/** What one entry point exports, as api-extractor words it. */
function exportsOf(folder, entry, work) {
  if (!existsSync(entry)) throw new Error(`${entry} is missing; build first`)
  const configObject = {
    projectFolder: folder,
    mainEntryPointFilePath: entry,
    compiler: { overrideTsconfig: { compilerOptions } },
    apiReport: { enabled: true, reportFileName: 'report', reportFolder: work, reportTempFolder: work },
    docModel: { enabled: false },
    dtsRollup: { enabled: false },
    tsdocMetadata: { enabled: false },
    newlineKind: 'lf',
    messages: {
      compilerMessageReporting: { default: { logLevel: 'none' } },
      extractorMessageReporting: { default: { logLevel: 'none' } },
      tsdocMessageReporting: { default: { logLevel: 'none' } },
    },
  }
  const config = ExtractorConfig.prepare({
    configObject,
    configObjectFullPath: join(folder, 'api-extractor.json'),
    packageJsonFullPath: join(folder, 'package.json'),
  })
  Extractor.invoke(config, { localBuild: true, messageCallback: silence })
  return declarationsOf(readFileSync(join(work, 'report.api.md'), 'utf8'))
}

const compilerOptions = {
  target: 'es2023',
  lib: ['es2023', 'esnext.disposable', 'dom'],
  module: 'nodenext',
  moduleResolution: 'nodenext',
  strict: true,
  skipLibCheck: true,
  types: ['node'],
}

/** Problems show as types that are missing in the report, where the diff is looked at. */
function silence(message) {
  message.handled = true
}

/** The code of a report, without what frames it in Markdown and the remarks of the extractor. */
function declarationsOf(report) {
  const [, code = ''] = /```ts\n([\s\S]*?)\n```/.exec(report) ?? []
  const lines = code
    .split('\n')
    .filter(
      (line) => !/^\s*\/\/ (@(public|internal|beta|alpha)|\(undocumented\))/.test(line) && line.trim() !== '',
    )
  return `${lines.join('\n')}\n`
}
