import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'

/** Registers what is to be done at the end of a test, or of several. */
export type AtEnd = (cleanup: () => void | Promise<void>) => void

/** A folder that is gone at the end of the test, with these files in it. */
export function tempDir(files: Record<string, string> = {}, atEnd: AtEnd = onTestFinished): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'appfactory-test-')))
  // A process that was killed a moment ago may still have a file to write there.
  atEnd(() => rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }))
  writeFiles(dir, files)
  return dir
}

export function writeFiles(dir: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
}
