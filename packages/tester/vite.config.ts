import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { thirdPartyLicences } from '../../scripts/lib/third-party.mjs'

export default defineConfig({
  root: fileURLToPath(new URL('src', import.meta.url)),
  plugins: [thirdPartyLicences()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    // light-dark() stays as it is.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: false,
    // The policy of the page allows no data: URLs.
    assetsInlineLimit: 0,
    // Nothing is cached, so the names need no hash; a new build then leaves no old file beside it.
    rolldownOptions: {
      output: { entryFileNames: 'assets/[name].js', assetFileNames: 'assets/[name][extname]' },
    },
  },
})
