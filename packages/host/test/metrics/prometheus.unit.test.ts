import { expect, test } from 'vitest'
import { LoopDelay } from '../../src/metrics/loop-delay.js'
import { FiguresByPlugin } from '../../src/metrics/plugin-figures.js'
import { prometheusText } from '../../src/metrics/prometheus.js'
import { Requests } from '../../src/metrics/requests.js'
import { metrics, metricsText } from '../../src/metrics/table.js'
import { FakeSource } from '../fixtures/fake-instance.js'
import { slotOf } from '../fixtures/fake-slot.js'
import { parsePrometheus } from './prometheus-parser.js'

test('labels and help are escaped, and what has no samples is left out', () => {
  const family = { name: 'x_total', type: 'counter' as const, help: 'a\\b\n"c"' }
  const labels = [['plugin', 'a\\b"c"\nd']] as const
  const text = prometheusText([
    {
      ...family,
      samples: [
        { labels, value: 1 },
        { labels: [], value: Number.POSITIVE_INFINITY },
      ],
    },
    { name: 'y', type: 'gauge', help: 'none', samples: [] },
  ])
  expect(text).toBe(
    '# HELP x_total a\\\\b\\n"c"\n# TYPE x_total counter\nx_total{plugin="a\\\\b\\"c\\"\\nd"} 1\nx_total +Inf\n',
  )
})

test('names and units of metrics are as Prometheus asks for', () => {
  expect(new Set(metrics.map(({ name }) => name)).size).toBe(metrics.length)
  for (const { name, type, help, labels } of metrics) {
    expect(name).toMatch(/^appfactory_[a-z_]+$/)
    expect(name.endsWith('_total'), name).toBe(type === 'counter')
    expect(name).not.toMatch(/_(ms|mb|milliseconds|megabytes)\b/)
    expect(help).toMatch(/^[A-Z1].*\.$/)
    for (const label of labels) expect(label).toMatch(/^[a-z_]+$/)
  }
})

test('a histogram counts in all buckets from its own on, and the last has them all', async () => {
  const figures = new FiguresByPlugin()
  figures.of('one').know(['say', 'sing'])
  for (const ms of [0.5, 3, 70_000]) figures.of('one').of('say').end('answered', ms)
  figures.of('one').of('gone').end('failed', 3)
  const source = new FakeSource('one')
  const slot = slotOf(source)
  await slot.open()
  const loopDelay = new LoopDelay()
  const text = metricsText({
    version: '1.2.3',
    requests: new Requests(),
    figures,
    slots: [slot],
    fallbacks: [],
    loopDelay,
  })
  loopDelay.stop()
  const samples = parsePrometheus(text)
  const bucket = (le: string): number | undefined =>
    samples.get(`appfactory_call_duration_seconds_bucket{plugin="one",method="say",le="${le}"}`)
  expect(['0.001', '0.0025', '0.005', '60', '+Inf'].map(bucket)).toEqual([1, 1, 2, 2, 3])
  expect(samples.get('appfactory_call_duration_seconds_count{plugin="one",method="say"}')).toBe(3)
  expect(samples.get('appfactory_call_duration_seconds_sum{plugin="one",method="say"}')).toBeCloseTo(
    70.0035,
    6,
  )
  expect(samples.get('appfactory_calls_total{plugin="one",method="other",outcome="failed"}')).toBe(1)
  expect(samples.get('appfactory_plugin_status{plugin="one",status="READY"}')).toBe(1)
  expect(samples.get('appfactory_plugin_status{plugin="one",status="ERROR"}')).toBe(0)
  expect([...samples.keys()].some((key) => key.includes('method="sing"'))).toBe(false)
  expect(text).toContain(`appfactory_build_info{version="1.2.3",node_version="${process.version}"} 1\n`)
})

test('how late the event loop is, is told since the last reading', async () => {
  const loopDelay = new LoopDelay()
  expect(loopDelay.read()).toBeUndefined()
  const block = (ms: number): void => {
    for (const begun = performance.now(); performance.now() - begun < ms; );
  }
  await new Promise((resolve) => setTimeout(resolve, 50))
  block(150)
  await new Promise((resolve) => setTimeout(resolve, 50))
  const { p50 = -1, max = -1 } = loopDelay.read() ?? {}
  expect(max).toBeGreaterThan(0.1)
  expect(max).toBeLessThan(60)
  expect(p50).toBeGreaterThanOrEqual(0)
  expect(p50).toBeLessThanOrEqual(max)
  expect(loopDelay.read()).toBeUndefined()
  loopDelay.stop()
})
