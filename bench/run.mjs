// Measures the project beside the limit and its peers. See bench/README.md.
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { chart } from './chart.mjs'
import { hasNats } from './contenders/nats-server.mjs'
import { figuresTable, missed, resultsOf, targetsTable } from './report.mjs'
import { runRounds } from './rounds.mjs'
import { scenarios } from './scenarios/index.mjs'

const groups = new Set(scenarios.flatMap(({ group }) => group ?? []))
const names = [...new Set([...scenarios.map(({ name }) => name), ...groups])]

const help = `Usage: pnpm bench [--rounds N] [--only NAME,NAME] [--full] [--json]

  --rounds N  how often each contender has its turn (default: 5)
  --only      ${names.join(', ')} (default: all, which also writes bench/results.json)
  --full      injects each fault of a cluster as often as its target says: 100 times, not 5
  --json      prints the results as JSON instead of tables

Exit status: 0 also where a target is missed, 2 bad usage.`

const options = parseOptions()
const rounds = Number(options.rounds)
if (!Number.isInteger(rounds) || rounds < 1) fail(`--rounds: a whole number above 0, not ${options.rounds}`)

// Plugins don't inherit these, so nobody here may: reading NODE_EXTRA_CA_CERTS alone takes a new process 30 ms.
for (const name of Object.keys(process.env)) if (name.startsWith('NODE_')) delete process.env[name]

const results = []
for (const scenario of chosen(options.only)) {
  results.push({ scenario, rounds: await runRounds(scenario, rounds, progress, { isFull: options.full }) })
}

const summary = resultsOf(machine(), rounds, results)
if (options.json) console.log(JSON.stringify(summary, null, 2))
else printTables()
// Of some scenarios only, the files would be incomplete.
if (!options.only) writeFiles()

function parseOptions() {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: 'string', default: '5' },
        only: { type: 'string' },
        full: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (!values.help) return values
    console.log(help)
    process.exit(0)
  } catch (error) {
    return fail(error.message)
  }
}

function chosen(only) {
  if (!only) return scenarios
  const wanted = only.split(',')
  const unknown = wanted.filter((name) => !names.includes(name))
  if (!hasNats && unknown.some((name) => name.startsWith('cluster')))
    fail('--only: cluster needs a NATS server: put nats-server into PATH, or name it in NATS_SERVER')
  if (unknown.length > 0) fail(`--only: no ${unknown.join(', ')}; there are ${names.join(', ')}`)
  return scenarios.filter(({ name, group }) => wanted.includes(name) || wanted.includes(group))
}

function machine() {
  const [{ model }, ...others] = cpus()
  return {
    cpu: model.trim(),
    cores: others.length + 1,
    platform: process.platform,
    node: process.version,
    date: new Date().toISOString().slice(0, 10),
  }
}

function printTables() {
  const { cpu, cores, node } = summary.machine
  console.log(`${cpu}, ${cores} cores, Node ${node}; medians of ${rounds} rounds\n`)
  console.log(`${targetsTable(results)}\n`)
  console.log(`${figuresTable(results)}\n`)
  const count = missed(results)
  console.log(count === 0 ? 'All targets are met.' : `Targets that are missed: ${count}.`)
}

function writeFiles() {
  writeFileSync(inRepo('bench/results.json'), `${JSON.stringify(summary, null, 2)}\n`)
  writeFileSync(inRepo('docs/performance.svg'), chart(summary))
  progress('bench/results.json and docs/performance.svg are written')
}

function inRepo(path) {
  return fileURLToPath(new URL(`../${path}`, import.meta.url))
}

function progress(text) {
  console.error(`bench: ${text}`)
}

function fail(message) {
  console.error(`bench: ${message}`)
  process.exit(2)
}
