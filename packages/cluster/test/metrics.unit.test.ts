import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { tableOf } from '../../../docs/test/tables.js'
import { Cluster } from '../src/cluster.js'
import { LinkFigures, NodeFigures, nodeMetrics } from '../src/figures.js'
import { MemoryCable } from './memory-cable.js'

const page = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')

/** Name, type and meaning of each metric. */
const told = (text: string): string[][] =>
  [...text.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm)].map(([, name = '', help = '', type = '']) => [
    ...[name, type, help],
  ])

test('the page of operations lists every metric of a node and of a caller', async () => {
  const cable = Object.assign(new MemoryCable(), { figures: new LinkFigures() })
  const cluster = await Cluster.over(cable)
  const known = [
    ...told(nodeMetrics(new NodeFigures(), { links: 0, callers: 0 })),
    ...told(cluster.metrics()),
  ]
  expect(tableOf(page, 'Metrics of a cluster')).toEqual(known)
  await cluster.close()
})
