import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { UndoFailed } from '../src/failures.js'
import type { PlannedFile } from '../src/plan.js'
import { writeFiles } from '../src/write.js'
import { filesIn, temporaryFolder } from './command.js'

const files: PlannedFile[] = [
  { path: 'README.md', content: 'readme' },
  { path: 'src/deep/a.ts', content: 'a' },
  { path: 'src/b.wav', content: new Uint8Array([1, 2]) },
]
const written = { 'README.md': 'readme', 'src/deep/a.ts': 'a', 'src/b.wav': '\x01\x02' }

/** The same files, and an abort just before the one at `index` is written. */
function abortingAt(index: number): { planned: PlannedFile[]; signal: AbortSignal } {
  const controller = new AbortController()
  const planned = files.map((file, place) => ({
    path: file.path,
    get content() {
      if (place === index) controller.abort()
      return file.content
    },
  }))
  return { planned, signal: controller.signal }
}

describe('a new folder', () => {
  it('gets all files, and nothing is left beside it', async () => {
    const dir = temporaryFolder()
    await writeFiles(join(dir, 'x'), files)
    expect(filesIn(join(dir, 'x'))).toEqual(written)
    expect(readdirSync(dir)).toEqual(['x'])
  })

  it('has the rights that any new folder has', async () => {
    const dir = temporaryFolder()
    mkdirSync(join(dir, 'other'))
    await writeFiles(join(dir, 'x'), files)
    expect(statSync(join(dir, 'x')).mode).toBe(statSync(join(dir, 'other')).mode)
  })

  it.each([0, 1, 2])('is not there when somebody stops it at file %i', async (index) => {
    const dir = temporaryFolder()
    const { planned, signal } = abortingAt(index)
    await expect(writeFiles(join(dir, 'x'), planned, { signal })).rejects.toThrowError(/Cancelled/)
    expect(readdirSync(dir)).toEqual([])
    await writeFiles(join(dir, 'x'), files)
    expect(filesIn(join(dir, 'x'))).toEqual(written)
  })

  it('is not there when a file can not be written', async () => {
    const dir = temporaryFolder()
    const bad = [...files, { path: `${'x'.repeat(300)}.md`, content: 'too long a name' }]
    await expect(writeFiles(join(dir, 'x'), bad)).rejects.toMatchObject({ code: 'ENAMETOOLONG' })
    expect(readdirSync(dir)).toEqual([])
  })
})

describe('a folder that is there', () => {
  it.each([[[]], [['.git']]])('may have %j in it', async (present) => {
    const dir = temporaryFolder()
    for (const name of present) mkdirSync(join(dir, 'x', name), { recursive: true })
    mkdirSync(join(dir, 'x'), { recursive: true })
    await writeFiles(join(dir, 'x'), files)
    expect(filesIn(join(dir, 'x'))).toEqual(written)
    expect(readdirSync(dir)).toEqual(['x'])
  })

  it('is left alone where files would be overwritten; all of them are listed', async () => {
    const dir = temporaryFolder()
    mkdirSync(join(dir, 'x/src'), { recursive: true })
    writeFileSync(join(dir, 'x/README.md'), 'mine')
    writeFileSync(join(dir, 'x/src/b.wav'), 'mine')
    writeFileSync(join(dir, 'x/other'), 'mine')
    const before = filesIn(join(dir, 'x'))
    await expect(writeFiles(join(dir, 'x'), files)).rejects.toThrowError(
      /README\.md\n.*src\/b\.wav\n.*--force/,
    )
    expect(filesIn(join(dir, 'x'))).toEqual(before)
  })

  it('is left alone where it has something else in it', async () => {
    const dir = temporaryFolder()
    mkdirSync(join(dir, 'x'))
    writeFileSync(join(dir, 'x/notes.txt'), 'mine')
    await expect(writeFiles(join(dir, 'x'), files)).rejects.toThrowError(/notes\.txt/)
    expect(filesIn(join(dir, 'x'))).toEqual({ 'notes.txt': 'mine' })
  })

  it('loses planned files only, with force; those keep their rights', async () => {
    const dir = temporaryFolder()
    mkdirSync(join(dir, 'x/src'), { recursive: true })
    writeFileSync(join(dir, 'x/README.md'), 'mine')
    chmodSync(join(dir, 'x/README.md'), 0o600)
    writeFileSync(join(dir, 'x/src/mine.ts'), 'mine')
    await writeFiles(join(dir, 'x'), files, { force: true })
    expect(filesIn(join(dir, 'x'))).toEqual({ ...written, 'src/mine.ts': 'mine' })
    expect(statSync(join(dir, 'x/README.md')).mode & 0o777).toBe(0o600)
    expect(readdirSync(dir)).toEqual(['x'])
  })

  it('is as it was when somebody stops it, even between two files that are moved', async () => {
    const dir = temporaryFolder()
    mkdirSync(join(dir, 'x'))
    writeFileSync(join(dir, 'x/README.md'), 'mine')
    const before = filesIn(dir)
    // Aborted when the third file is to be moved: two are in place by then.
    let looks = 0
    const signal = new Proxy(new AbortController().signal, {
      get: (target, key) => (key === 'aborted' ? ++looks > 6 : Reflect.get(target, key)),
    })
    await expect(writeFiles(join(dir, 'x'), files, { force: true, signal })).rejects.toThrowError(/Cancelled/)
    expect(filesIn(dir)).toEqual(before)
    expect(readdirSync(join(dir, 'x'))).toEqual(['README.md'])
  })

  it('has all that can be put back where one file can not; the error names the folder that keeps that one', async () => {
    const dir = temporaryFolder()
    mkdirSync(join(dir, 'x/src/deep'), { recursive: true })
    for (const path of Object.keys(written)) writeFileSync(join(dir, 'x', path), `my ${path}`)
    // Once all but the last are in their place, the second is moved away for a folder, and the third can't be moved.
    let looks = 0
    const signal = new Proxy(new AbortController().signal, {
      get(target, key) {
        if (key !== 'aborted') return Reflect.get(target, key)
        if (++looks < 7) return false
        rmSync(join(dir, 'x/src/deep/a.ts'))
        mkdirSync(join(dir, 'x/src/deep/a.ts/mine'), { recursive: true })
        return true
      },
    })
    const error: unknown = await writeFiles(join(dir, 'x'), files, { force: true, signal }).catch(
      (thrown) => thrown,
    )
    if (!(error instanceof UndoFailed)) throw error
    expect(error.message).toContain(error.kept)
    expect(filesIn(error.kept)).toMatchObject({ 'src/deep/a.ts.old': 'my src/deep/a.ts' })
    expect(filesIn(join(dir, 'x'))).toEqual({ 'README.md': 'my README.md', 'src/b.wav': 'my src/b.wav' })
  })

  it.each([
    ['a folder in the place of a file', (dir: string) => mkdirSync(join(dir, 'README.md'))],
    ['a file in the place of a folder', (dir: string) => writeFileSync(join(dir, 'src'), 'mine')],
    ['a link in the place of a folder', (dir: string) => symlinkSync('..', join(dir, 'src'))],
  ])('is left alone, force or not, with %s', async (_name, make) => {
    const dir = temporaryFolder()
    mkdirSync(join(dir, 'x'))
    make(join(dir, 'x'))
    await expect(writeFiles(join(dir, 'x'), files, { force: true })).rejects.toThrowError(/In the way/)
    expect(readdirSync(join(dir, 'x'))).toHaveLength(1)
    expect(readdirSync(dir)).toEqual(['x'])
  })
})

it('does not write through a link to somewhere else', async () => {
  const dir = temporaryFolder()
  mkdirSync(join(dir, 'x'))
  writeFileSync(join(dir, 'elsewhere'), 'mine')
  symlinkSync('../elsewhere', join(dir, 'x/README.md'))
  await writeFiles(join(dir, 'x'), files, { force: true })
  expect(readFileSync(join(dir, 'elsewhere'), 'utf8')).toBe('mine')
  expect(filesIn(join(dir, 'x'))).toEqual(written)
  // A link may be written by everybody, the file in its place may not.
  expect(statSync(join(dir, 'x/README.md')).mode).toBe(statSync(join(dir, 'x/src/b.wav')).mode)
})

it('refuses a file of that name', async () => {
  const dir = temporaryFolder()
  writeFileSync(join(dir, 'x'), 'mine')
  await expect(writeFiles(join(dir, 'x'), files, { force: true })).rejects.toThrowError(/not a folder/)
  expect(filesIn(dir)).toEqual({ x: 'mine' })
})
