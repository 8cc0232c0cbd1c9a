// A plugin for Rolldown and Vite: writes the licences of the packages that a bundle has in it beside the bundle.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const thirdPartyFile = 'THIRD-PARTY-LICENSES'

export function thirdPartyLicences() {
  return {
    name: 'third-party-licences',
    generateBundle(_options, bundle) {
      const ids = Object.values(bundle).flatMap((chunk) =>
        chunk.type === 'chunk' ? Object.keys(chunk.modules) : [],
      )
      const folders = new Set(ids.flatMap((id) => packageFolder(id) ?? []))
      const texts = [...folders].map(describe).sort()
      this.emitFile({
        type: 'asset',
        fileName: thirdPartyFile,
        source: `${texts.join(`\n${'-'.repeat(80)}\n\n`)}`,
      })
    },
  }
}

/** The folder of the package that a module is of; undefined for our own. */
function packageFolder(id) {
  const path = id.replace(/^\0/, '').replace(/\?.*$/, '')
  if (!/[\\/]node_modules[\\/]/.test(path)) return undefined
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'package.json')
    // Folders of a package may have a package.json of their own, without a name and a version.
    if (existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).version) return folder
  }
  throw new Error(`${id} is of no package`)
}

function describe(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const file = readdirSync(folder).find((each) => /^(licen[cs]e|copying)/i.test(each))
  if (!file || typeof license !== 'string')
    throw new Error(`${name} ${version} is bundled, and has no licence in ${folder}`)
  return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`
}
