import { join } from 'node:path'
import { expect, test } from 'vitest'
import { permissionFlags } from '../../src/plugins/permissions.js'
import { temporaryFolder } from '../fixtures/plugins.js'

const flagsOf = (permissions: Parameters<typeof permissionFlags>[0]): string[] =>
  permissionFlags(permissions, temporaryFolder(), [], false)

test('a manifest without permissions limits nothing', () => {
  expect(flagsOf(undefined)).toEqual([])
})

test.each([[[]], [{}], [{ child_process: false, worker: false, network: false, addons: false }]])(
  'permissions %j allow nothing but reading the plugin’s own code',
  (permissions) => {
    const [limit, ...flags] = flagsOf(permissions)
    expect(limit).toMatch(/^--(experimental-)?permission$/)
    expect(
      flags.filter((flag) => flag.startsWith('--allow-') && !flag.startsWith('--allow-fs-read=')),
    ).toEqual([])
    expect(flags).not.toContain('--allow-fs-read=*')
  },
)

test.each([[['child_process', 'worker']], [{ child_process: true, worker: true, network: false }]])(
  'permissions %j allow these two',
  (permissions) => {
    const allowed = flagsOf(permissions).filter((flag) => !flag.startsWith('--allow-fs-read='))
    expect(allowed.filter((flag) => flag.startsWith('--allow-'))).toEqual([
      '--allow-child-process',
      '--allow-worker',
    ])
  },
)

test('a path is meant from the plugin’s folder on, and none means all', () => {
  const dir = temporaryFolder()
  const flags = permissionFlags(['fs_write:./data', 'fs_read'], dir, [], false)
  expect(flags).toContain(`--allow-fs-write=${join(dir, 'data')}`)
  expect(flags).toContain('--allow-fs-read=*')
})
