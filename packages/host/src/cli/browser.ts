import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const openers: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''],
}

/**
 * Opens a secret URL in the browser. All users of a machine see the arguments of its processes, so the browser gets a
 * file that only this user can read and that redirects to the URL. On a machine without a browser, the printed URL is enough.
 *
 * @returns A function that removes the file.
 * @throws Error of the system if the file can't be written.
 */
export async function openInBrowser(url: string): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'appfactory-'))
  const file = join(folder, 'tester.html')
  await writeFile(file, `<!doctype html><meta http-equiv="refresh" content="0; url=${url}">\n`, {
    mode: 0o600,
  })
  const [command = 'xdg-open', ...args] = openers[process.platform] ?? []
  spawn(command, [...args, pathToFileURL(file).href], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref()
  return () => rm(folder, { recursive: true, force: true })
}
