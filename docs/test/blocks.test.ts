import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { blocksOf, isKnown, proseOf } from './blocks.js'
import { matches, patternOf } from './match.js'
import { root } from './reader.js'

const documents = ['README.md', ...['docs', 'docs/guide', 'docs/guide-python'].flatMap(pagesIn)].map(
  (file) => ({
    file,
    text: readFileSync(join(root, file), 'utf8'),
  }),
)

function pagesIn(folder: string): string[] {
  return readdirSync(join(root, folder))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `${folder}/${file}`)
}

describe('blocksOf', () => {
  it('finds fenced blocks, what they are and where they stand', () => {
    const [first, second] = blocksOf('a.md', 'x\n\n```ts file=a/b.ts in=.\ncode\n```\n\n~~~\n```\n~~~\n')
    expect(first).toMatchObject({ place: 'a.md:3', language: 'ts', kind: 'file', text: 'code\n' })
    expect(first?.attributes).toEqual({ file: 'a/b.ts', in: '.' })
    expect(second).toMatchObject({ place: 'a.md:7', language: '', kind: '', text: '```\n' })
  })

  it.each(['ts', 'ts ruN', 'sh', 'python run', ''])('does not know a block that says "%s"', (info) => {
    expect(blocksOf('a.md', `\`\`\`${info}\n\`\`\`\n`).map(isKnown)).toEqual([false])
  })
})

describe('matches', () => {
  it.each([
    [{ id: 1, result: '…' }, { id: 1, result: { any: 'thing' } }, true],
    [{ id: 1, '…': '…' }, { id: 1, more: true }, true],
    [{ id: 1 }, { id: 1, more: true }, false],
    [['a', '…'], ['a', 'b', 'c'], true],
    [['a', '…'], ['b'], false],
    ['UklGR…', 'UklGRiQ=', true],
    ['a.b', 'axb', false],
  ])('%j, %j: %s', (expected, actual, verdict) => {
    expect(matches(expected, actual)).toBe(verdict)
  })

  it('takes … for the rest of a line, or for lines', () => {
    expect('took 12 ms\ndone').toMatch(patternOf('took …\ndone\n'))
    expect('a\nb\nc\nd').toMatch(patternOf('a\n…\nd'))
    expect('a\nb').not.toMatch(patternOf('a…'))
  })
})

describe.each(documents)('$file', ({ file, text }) => {
  const name = file
    .replace(/^docs\//, '')
    .replace(/\/.*|\.md$/, '')
    .toLowerCase()

  it('has no code block that no test sees', () => {
    const tested = existsSync(join(root, 'docs/test', `${name}.test.ts`))
    expect(tested || blocksOf(file, text).length === 0).toBe(true)
    // Neither one that is not closed, nor one by indentation.
    expect(proseOf(text)).not.toMatch(/^ *(```|~~~)|^\n {4,}[^\s*-]/m)
  })

  it('has links to what is there', () => {
    const prose = proseOf(text)
    for (const [, link, picture] of prose.matchAll(/\]\((?!\w+:)([^)]*)\)|\bsrc(?:set)?="([^"]*)"/g)) {
      const target = link ?? picture ?? ''
      const [path = '', anchor] = target.split('#')
      const linked = path === '' ? join(root, file) : join(root, dirname(file), path)
      expect(existsSync(linked), target).toBe(true)
      if (anchor) expect(anchorsOf(readFileSync(linked, 'utf8')), target).toContain(anchor)
    }
  })
})

/** Anchors of headings, as GitHub makes them. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}
