import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { errorTable } from '@appfactory/sdk'
import { expect, it } from 'vitest'
import { permissionFlags, unknownPermissions } from '../../packages/host/dist/plugins/permissions.js'
import { testDocument } from './document.js'
import { instanceLimits, restartPolicy, shown, slotLimits } from './limits.js'
import { root } from './reader.js'
import { firstColumn, tableOf } from './tables.js'

const { text } = testDocument('docs/reliability.md', () => {
  it('lists every limit with its default, and codes that are there', () => {
    const limits = { ...instanceLimits, maxHeapMb: undefined, ...slotLimits }
    const rows = tableOf(text, 'Limits')
    expect(rows.map(([option, value]) => [option, value])).toEqual(defaultsOf(limits))
    expect(tableOf(text, 'Restarts')).toEqual(defaultsOf(restartPolicy))
    const codes = rows.flatMap(([, , , code = '']) => code.match(/[A-Z_]{2,}/g) ?? [])
    const known = errorTable.map(({ name }) => name as string)
    expect(codes.filter((code) => !known.includes(code))).toEqual([])
  })

  it('lists every permission, with its flag', () => {
    const rows = tableOf(text, 'Permissions')
    expect(unknownPermissions(rows.map(([name = '']) => name))).toEqual([])
    const runtime = join(root, 'packages/sdk/dist/runtime/main.js')
    for (const [name = '', , takesPath, flag = ''] of rows) {
      if (!process.allowedNodeEnvironmentFlags.has(flag)) continue
      const flags = permissionFlags([name], root, [runtime], false)
      expect(flags).toContain(takesPath === 'yes' ? `${flag}=*` : flag)
    }
  })

  it('lists every scenario of the torture', () => {
    const scenarios = readdirSync(join(root, 'torture/scenarios')).map((file) => file.replace('.mjs', ''))
    expect(firstColumn(text, 'Torture')).toEqual(scenarios.toSorted())
  })
})

function defaultsOf(options: object): string[][] {
  return Object.entries(options).map(([name, value]) => [name, shown(value)])
}
