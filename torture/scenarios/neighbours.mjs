import { join } from 'node:path'
import { PluginHost } from '@appfactory/host'
import { percentile } from '../../scripts/lib/statistics.mjs'
import { Load } from '../load.mjs'
import { heapAfterCollection } from '../memory.mjs'
import { milliseconds } from '../milliseconds.mjs'
import { writePlugins } from '../plugins.mjs'

export const description =
  'one plugin floods the host, in five ways, and how long the calls of another one take'

/** What is flooded, by the name of the flood in the plugin: lines on stdout and stderr, raw bytes, answers and pieces that nobody waits for. */
const floods = { stdout: 'stdout', stderr: 'stderr', bytes: 'fd 3', answers: 'answers', pieces: 'pieces' }

const mebibyte = 1024 * 1024

/** How often each flood is begun. */
const turns = 4

export async function run({ seconds, random, invariants }) {
  const { root, remove } = writePlugins(['noisy', 'quiet'])
  const host = new PluginHost({ pluginsDir: root, logDir: join(root, 'logs') })
  const roundMs = (seconds * 1000) / 10
  try {
    const noisy = await host.load('noisy')
    const load = new Load(await host.load('quiet'), 1, random, () => 0)
    await load.settle(1000)
    const heapBefore = heapAfterCollection()
    for (const [flood, name] of Object.entries(floods)) {
      const memory = new Watch()
      const idle = []
      const flooded = []
      let text
      // In turns, so that what else the machine does meets both alike.
      for (let turn = 0; turn < turns; turn++) {
        idle.push(...(await callsOf(load, roundMs / turns)))
        const flooding = noisy
          .complete(JSON.stringify({ token: 'x', flood, work: roundMs / turns }))
          .catch((error) => ({ text: String(error) }))
        flooded.push(...(await callsOf(load, roundMs / turns)))
        text = (await flooding).text
      }
      const [before, during] = [figures(idle), figures(flooded)]
      const times = during.p99 / before.p99
      const more = memory.end() / mebibyte
      console.log(
        `${name}: p50 ${milliseconds(before.p50)} before, ${milliseconds(during.p50)} during; p99 ${milliseconds(before.p99)} before, ${milliseconds(during.p99)} during (${times.toFixed(1)} x); memory + ${more.toFixed(0)} MB`,
      )
      invariants.check(text === 'x', `${name}: the call of who floods ended with ${text}`)
      invariants.check(times <= 5, `${name}: the p99 of the other plugin is ${times.toFixed(1)} x, not 5 x`)
      invariants.check(more <= 64, `${name}: the host took ${more.toFixed(0)} MB more, not 64`)
    }
    const after = heapAfterCollection()
    console.log(`memory of the host: ${megabytes(heapBefore)} before, ${megabytes(after)} after`)
    invariants.check(after <= 1.1 * heapBefore + 2 * mebibyte, 'the memory of the host did not come back')
    const lost = await load.end()
    invariants.check(lost === 0, `${lost} calls of the other plugin were lost`)
    invariants.check(load.failed.length === 0, `calls of the other plugin failed: ${load.failed[0]}`)
  } finally {
    await host.close()
    remove()
  }
}

/** How long the calls of the next so many ms took. */
async function callsOf(load, ms) {
  load.calls.length = 0
  await load.settle(ms)
  return load.calls.map((call) => call.took)
}

function figures(took) {
  return { p50: percentile(took, 0.5), p99: percentile(took, 0.99) }
}

/** How much more memory this process takes than at first, at the most. */
class Watch {
  #first
  #most
  #timer = setInterval(() => this.#look(), 50)

  constructor() {
    heapAfterCollection()
    this.#first = this.#most = process.memoryUsage.rss()
  }

  end() {
    this.#look()
    clearInterval(this.#timer)
    return this.#most - this.#first
  }

  #look() {
    this.#most = Math.max(this.#most, process.memoryUsage.rss())
  }
}

const megabytes = (bytes) => `${(bytes / mebibyte).toFixed(1)} MB`
