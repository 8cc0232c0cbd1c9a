import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'

/** A folder of a file of tests. */
export function temporaryFolder(): () => string {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'appfactory-cluster-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  return () => folder
}
