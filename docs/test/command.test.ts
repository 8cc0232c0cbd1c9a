import { expect, it } from 'vitest'
import { clusterSettings } from '../../packages/host/dist/cli/cluster-settings.js'
import { commands } from '../../packages/host/dist/cli/commands.js'
import { gatewaySettings } from '../../packages/host/dist/cli/gateway-settings.js'
import { hostSettings, loadSettings, type Setting } from '../../packages/host/dist/cli/settings.js'
import { testDocument } from './document.js'
import { shown } from './limits.js'
import { tableOf } from './tables.js'

const { text } = testDocument('docs/command.md', () => {
  it('lists every setting with its flag, its key and its default', () => {
    const settings = [...hostSettings.filter(({ isLimit }) => !isLimit), ...loadSettings]
    expect(tableOf(text, 'Settings').map((row) => row.slice(0, 3))).toEqual(settings.map(rowOf))
    const ofGateway = tableOf(text, 'Settings of the gateway').map((row) => row.slice(0, 3))
    expect(ofGateway).toEqual(gatewaySettings.map(rowOf))
    const ofClusters = tableOf(text, 'Settings of clusters').map((row) => row.slice(0, 3))
    expect(ofClusters).toEqual(clusterSettings.map(rowOf))
    const limits = hostSettings.filter(({ isLimit }) => isLimit)
    expect(tableOf(text, 'Limits').map((row) => row.slice(0, 3))).toEqual(limits.map(rowOf))
  })

  it('lists every command, and every option of one', () => {
    const listed = commands.filter(({ description }) => description !== undefined)
    expect(tableOf(text, 'Commands').map(([usage = '']) => usage.split(' ')[0])).toEqual(
      listed.map(({ name }) => name),
    )
    const options = listed.flatMap(({ name, options: own }) =>
      // Without a description, it is no option of its own.
      Object.entries(own).flatMap(([option, { describe }]) => (describe ? [[name, `--${option}`]] : [])),
    )
    expect(tableOf(text, 'Options of commands').map((row) => row.slice(0, 2))).toEqual(options)
  })
})

function rowOf({ flag, key, kind, isLimit, default: preset }: Setting): string[] {
  const initial = isLimit ? shown(preset) : kind === 'flag' ? '' : [preset ?? ''].flat().join(', ')
  return [`--${flag}`, key, initial]
}
