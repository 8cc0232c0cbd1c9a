import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitepress'

/** The chapters of the guide, in the order in which they are read. */
const chapters = [
  ...readFileSync(join(import.meta.dirname, '../docs/guide/README.md'), 'utf8').matchAll(
    /\[([^\]]+)\]\(([a-z-]+)\.md\)/g,
  ),
].map(([, text, name]) => ({ text, link: `/docs/guide/${name}` }))

const page = (text, link) => ({ text, link: `/docs/${link}` })

export default defineConfig({
  title: 'App Factory',
  description: 'Plugins that speak, listen and think, each in a process of its own.',
  cleanUrls: true,
  rewrites: {
    'README.md': 'index.md',
    'docs/guide/README.md': 'docs/guide/index.md',
    'docs/decisions/README.md': 'docs/decisions/index.md',
  },
  vue: { template: { transformAssetUrls: false } },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Guide', link: '/docs/guide/' },
      { text: 'Reference', link: '/docs/api/host/' },
    ],
    sidebar: [
      { text: 'Write a plugin', items: [page('Guide', 'guide/'), ...unique(chapters)] },
      {
        text: 'More for authors',
        items: [
          page('Create a plugin', 'create'),
          page('Publish a plugin', 'publish'),
          page('Development', 'development'),
          page('Tests', 'testing'),
          page('Plugin Tester', 'tester'),
        ],
      },
      {
        text: 'Use plugins',
        items: [
          page('Embed the host', 'embedding'),
          page('Protocol', 'protocol'),
          page('Reliability', 'reliability'),
          page('Run it for others', 'operations'),
          page('Performance', 'performance'),
        ],
      },
      {
        text: 'Reference',
        items: [
          page('@appfactory/host', 'api/host/'),
          page('@appfactory/sdk', 'api/sdk/'),
          page('Error codes', 'error-codes'),
          page('Glossary', 'glossary'),
          page('Decisions', 'decisions/'),
        ],
      },
    ],
  },
  // Files of the repository are no pages.
  ignoreDeadLinks: [/^\.{0,2}\/(\.\.\/)*(examples|packages|templates|bench|torture|config|scripts)(\/|$)/],
})

/** A chapter may be named more than once on the page of contents. */
function unique(items) {
  return items.filter(({ link }, index) => items.findIndex((other) => other.link === link) === index)
}
