import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { pythonFolder, pythonWith, wheel } from './environment.js'

const python = pythonWith('pytest')
const folder = mkdtempSync(join(tmpdir(), 'appfactory-wheel-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Prints what of the wheel is not as its RECORD says. */
const compareWithRecord = `
import base64, csv, hashlib, io, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    assert wheel.testzip() is None
    [record] = [name for name in wheel.namelist() if name.endswith(".dist-info/RECORD")]
    rows = list(csv.reader(io.StringIO(wheel.read(record).decode())))
    assert sorted(row[0] for row in rows) == sorted(wheel.namelist())
    for name, digest, size in rows:
        if name == record: continue
        data = wheel.read(name)
        expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        if digest != "sha256=" + expected or int(size) != len(data): print(name)
`

const useInstalled = `
import importlib.metadata, sys
sys.path.insert(0, sys.argv[1])
distribution = next(importlib.metadata.distributions(path=[sys.argv[1]]))
print(distribution.version, distribution.metadata["Requires-Python"], [str(each.value) for each in distribution.entry_points])
import appfactory
print(appfactory.__file__.startswith(sys.argv[1]))
`

describe.skipIf(python === undefined)('the wheel (skipped without Python 3.9 or newer)', () => {
  const run = (...args: string[]) => execFileSync(python ?? '', args, { encoding: 'utf8' })

  it('lists each of its files with its checksum', () => {
    expect(run('-I', '-c', compareWithRecord, wheel)).toBe('')
  })

  it('is installed by pip, and registers the pytest plugin', () => {
    run(
      '-m',
      'pip',
      'install',
      '--quiet',
      '--no-index',
      '--disable-pip-version-check',
      '--target',
      folder,
      // The folder that it lies in: its name is the same in each version.
      pythonFolder,
    )
    const version = /appfactory-(.*)-py3/.exec(wheel)?.[1]
    expect(run('-I', '-c', useInstalled, folder)).toBe(
      `${version} >=3.9 ['appfactory.pytest_plugin']\nTrue\n`.replaceAll(
        '\n',
        process.platform === 'win32' ? '\r\n' : '\n',
      ),
    )
  })
})

it('says of each of its packages that it has types', () => {
  const packages = readdirSync(pythonFolder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  for (const { name } of packages) expect(readdirSync(join(pythonFolder, name))).toContain('py.typed')
})
