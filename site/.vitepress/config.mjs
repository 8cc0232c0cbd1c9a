import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitepress'

const page = (text, link) => ({ text, link: `/docs/${link}` })

/** The chapters of an edition of the guide, in the order in which they are read. */
const chaptersOf = (guide) => {
  const contents = readFileSync(join(import.meta.dirname, `../docs/${guide}/README.md`), 'utf8')
  const links = [...contents.matchAll(/\[([^\]]+)\]\(([a-z-]+)\.md\)/g)]
  return links.map(([, text, name]) => page(text, `${guide}/${name}`))
}

export default defineConfig({
  title: 'App Factory',
  description: 'Plugins that speak, listen and think, each in a process of its own.',
  cleanUrls: true,
  rewrites: {
    'README.md': 'index.md',
    'docs/guide/README.md': 'docs/guide/index.md',
    'docs/guide-python/README.md': 'docs/guide-python/index.md',
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
      { text: 'Write a plugin', items: [page('Guide', 'guide/'), ...unique(chaptersOf('guide'))] },
      {
        text: 'Write a plugin in Python',
        collapsed: true,
        items: [page('Guide', 'guide-python/'), ...unique(chaptersOf('guide-python'))],
      },
      {
        text: 'More for authors',
        items: [
          page('Create a plugin', 'create'),
          page('Publish a plugin', 'publish'),
          page('Development', 'development'),
          page('Tests', 'testing'),
          page('Python', 'python'),
          page('Python environments', 'python-environments'),
          page('Plugin Tester', 'tester'),
        ],
      },
      {
        text: 'Use plugins',
        items: [
          page('Embed the host', 'embedding'),
          page('In the AI SDK', 'ai-sdk'),
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
