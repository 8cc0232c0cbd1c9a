import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Manifest, manifestSchema } from '@appfactory/sdk/manifest'

/** An environment without pip, made at once; what is in the folder stays. */
export function writeEnvironment(path: string, python: string): string {
  const file = join(path, 'bin', 'python')
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(join(path, 'pyvenv.cfg'), `home = ${dirname(python)}\n`)
  symlinkSync(python, file)
  return file
}

/** A file that can be run. */
export function writeProgram(file: string, script: string): string {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `#!/bin/sh\n${script}\n`)
  chmodSync(file, 0o755)
  return file
}

const manifest = manifestSchema.parse({
  ...{ name: 'speaker', version: '1.0.0', contract: 'tts', entry_point: 'main', runtime: 'python' },
})

export function manifestOf(keys: Partial<Manifest> = {}): Manifest {
  return { ...manifest, ...keys }
}

const pipUnpacker = `
import ensurepip, glob, os, sys, zipfile
wheels = glob.glob(os.path.join(ensurepip.__path__[0], "_bundled", "pip-*.whl"))
wheels += glob.glob("/usr/share/python-wheels/pip-*.whl")
target = glob.glob(os.path.join(sys.argv[1], "lib", "python*", "site-packages"))[0]
zipfile.ZipFile(wheels[0]).extractall(target)
`

/** A Python whose `-m venv` takes half a second in place of six: pip is unpacked, not installed. */
export function writeQuickPython(file: string, python: string): string {
  const unpacker = `${file}.py`
  writeProgram(
    file,
    `[ "$3" = venv ] || exec '${python}' "$@"
'${python}' "$@" --without-pip && exec '${python}' -I '${unpacker}' "$4"`,
  )
  writeFileSync(unpacker, pipUnpacker)
  return file
}

const wheelMaker = `
import sys, zipfile
folder, name, version, *requires = sys.argv[1:]
info = f"{name}-{version}.dist-info/"
extras = sorted({line.split("extra == ")[1].strip("'") for line in requires if "extra" in line})
lines = [f"Name: {name}", f"Version: {version}"] + [f"Provides-Extra: {one}" for one in extras]
metadata = "\\n".join(["Metadata-Version: 2.1"] + lines + [f"Requires-Dist: {one}" for one in requires]) + "\\n"
with zipfile.ZipFile(f"{folder}/{name}-{version}-py3-none-any.whl", "w") as wheel:
    wheel.writestr(f"{name}.py", f"version = '{version}'\\n")
    wheel.writestr(info + "METADATA", metadata)
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(info + "RECORD", f"{name}.py,,\\n{info}METADATA,,\\n{info}WHEEL,,\\n{info}RECORD,,\\n")
`

/** Puts a wheel into a folder. */
export function writeWheel(python: string, folder: string, ...words: [string, string, ...string[]]): void {
  mkdirSync(folder, { recursive: true })
  execFileSync(python, ['-I', '-c', wheelMaker, folder, ...words])
}

/** Says that a package is installed, by its metadata only. */
export function writeMetadata(
  sitePackages: string,
  name: string,
  version: string,
  requires: string[] = [],
): void {
  const folder = join(sitePackages, `${name}-${version}.dist-info`)
  mkdirSync(folder, { recursive: true })
  const lines = [`Name: ${name}`, `Version: ${version}`, ...requires.map((one) => `Requires-Dist: ${one}`)]
  writeFileSync(join(folder, 'METADATA'), `Metadata-Version: 2.1\n${lines.join('\n')}\n`)
}
