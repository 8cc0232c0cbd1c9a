import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import { root } from './reader.js'

/** Those of the guide of which there are editions here (D087), in its order. */
const chaptersOf = (packageFile: string): string[] =>
  [
    ['Overview', 'Quick Start', '1. Create Plugin Folder', '2. Define Manifest', '3. Implement Contract'],
    [
      'Contract Reference',
      'PluginBase (D001)',
      'Available Contracts',
      'TTS Contract (D002)',
      'STT Contract (D003)',
    ],
    ['LLM Contract (D004)', 'Manifest Schema', 'Required Fields', 'Optional Fields', 'Example Manifest'],
    ['Plugin Lifecycle', '1. Discovery', '2. Loading', '3. Initialization', '4. Operation', '5. Shutdown'],
    ['Health Monitoring', 'Status Values', 'Error Handling', 'Raising Errors', 'Error Codes Reference'],
    ['Configuration', 'Config Schema', 'Receiving Config', 'Hot-Swap Support', 'Dependencies', packageFile],
    ['Manifest Dependencies', 'Auto-Installation', 'Testing Plugins', 'Using Plugin Tester UI'],
    ['Command Line Testing', 'Unit Testing', 'Best Practices', '1. Keep Initialization Fast'],
    [
      '2. Handle Errors Gracefully',
      '3. Report Accurate Health',
      '4. Clean Up Resources',
      '5. Use Async Properly',
    ],
    ['Debugging', 'Enable Debug Logging', 'Check Logs', 'Common Issues', 'Example: Complete TTS Plugin'],
  ].flat()

/** The pages of an edition in the order of its contents: a chapter builds on files of those before it. */
export function pagesOf(folder: string): string[] {
  const contents = readFileSync(join(root, folder, 'README.md'), 'utf8')
  const listed = [...contents.matchAll(/^\d+\. \[.*?\]\((.*?)\)/gm)].map(([, page = '']) => page)
  return ['README.md', ...listed].map((page) => `${folder}/${page}`)
}

/** Tests the parts of an edition: `packageFile` is where authors list packages. */
export function checkChapters(folder: string, text: string, packageFile: string): void {
  const pages = pagesOf(folder).map((page) => basename(page))

  it('lists each of its pages, and each page links to the next', () => {
    expect(pages.toSorted()).toEqual(readdirSync(join(root, folder)).toSorted())
    for (const [index, page] of pages.slice(1, -1).entries()) {
      const next = pages[index + 2] ?? ''
      expect(readFileSync(join(root, folder, page), 'utf8')).toMatch(new RegExp(`Next: .*\\(${next}\\)\n$`))
    }
  })

  it('has the chapters of D087, in its order', () => {
    const chapters = chaptersOf(packageFile)
    const headings = [...text.matchAll(/^#{1,3} (.*)$/gm)].map(([, heading]) => heading)
    expect(headings.filter((heading) => chapters.includes(heading ?? ''))).toEqual(chapters)
  })
}
