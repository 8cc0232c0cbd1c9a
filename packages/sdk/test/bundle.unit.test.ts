import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const dist = new URL('../dist/', import.meta.url)

/** The files that a file of dist/ imports before it runs, itself first. */
function loaded(file: URL, seen = new Set<string>()): Set<string> {
  if (seen.has(file.href)) return seen
  seen.add(file.href)
  const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export)\b[^;]*?\bfrom "([^"]+)"/gm)
  for (const [, name = ''] of imports) {
    if (name.startsWith('.')) loaded(new URL(name, file), seen)
    else seen.add(name)
  }
  return seen
}

test('a plugin’s process loads few files, and of packages none', () => {
  const all = [...loaded(new URL('index.js', dist), loaded(new URL('runtime/main.js', dist)))]
  expect(all.filter((name) => !/^(node|file):/.test(name))).toEqual([])
  expect(all.filter((name) => name.startsWith('file:')).length).toBeLessThanOrEqual(4)
})

test('no class is there twice, whichever entry it comes from', async () => {
  const [index, wire] = await Promise.all(
    ['index.js', 'internal.js'].map((file) => import(new URL(file, dist).href)),
  )
  const error: unknown = wire.fromErrorObject({ code: -32603, message: 'x' })
  expect(error).toBeInstanceOf(index.PluginError)
})
