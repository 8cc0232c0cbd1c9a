// Puts together what tsc has written of a package, with the packages that nothing else uses: Node loads a few files for it in place
// of hundreds (docs/performance.md). The "files" of package.json are what is published.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'rolldown'
import { thirdPartyLicences } from './third-party.mjs'

/** @param entries What others load, and what is started by its path: relative to dist, without `.js`. */
export async function bundle(folder, entries) {
  const dist = join(folder, 'dist')
  const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  )
  const notBundled = Object.keys({
    ...dependencies,
    ...optionalDependencies,
    ...peerDependencies,
    vitest: '',
  })
  await build({
    input: Object.fromEntries(entries.map((name) => [name, `${dist}/${name}.js`])),
    platform: 'node',
    external: (id) => notBundled.some((name) => id === name || id.startsWith(`${name}/`)),
    plugins: [thirdPartyLicences()],
    output: {
      dir: dist,
      format: 'esm',
      // As deep as the folders of the sources: relative paths to data stay right.
      chunkFileNames: 'shared/[name].js',
    },
    logLevel: 'warn',
  })
}
