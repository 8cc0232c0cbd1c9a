// Does to a host under load what goes wrong in production, and checks what must hold all the same.
import { readdirSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Invariants } from './invariants.mjs'
import { Random } from './random.mjs'

const names = readdirSync(new URL('scenarios', import.meta.url)).map((file) => file.replace('.mjs', ''))

const help = `Usage: pnpm torture [--scenario NAME] [--seconds N] [--seed N] [--swaps N] [--callers N] [--times N]
                    [--strict] [--trace] [--fault NAME]

  --scenario NAME  ${names.join(', ')} (default: mixed)
  --seconds N      how long, for mixed, cluster, loop, neighbours and replicas (default: 60)
  --seed N         decides everything that is left to chance (default: a new one, which is printed)
  --swaps N        for swap (default: 20)
  --callers N      for swap, kill, loop, replicas and cluster (default: 64)
  --times N        kills, hosts or lines, for kill, orphans and garbage
  --strict         a target of time that is missed counts as a broken invariant; else it is only told
  --trace          tells each fault of mixed and cluster before it comes
  --fault NAME     for cluster: only this one of its faults (repeatable)

Exit status: 0 all holds, 1 something does not, 2 bad usage.`

const options = parseOptions()
const { run, description } = await import(`./scenarios/${options.scenario}.mjs`)
const invariants = new Invariants(options.strict)
console.log(`torture: ${options.scenario}: ${description}; --seed ${options.seed}`)
try {
  await run({ ...options, random: new Random(options.seed), invariants })
} catch (error) {
  invariants.check(false, `it could not go on: ${error.stack}`)
}
for (const text of invariants.missed) console.log(`torture: MISSED ${text}; with --strict that is a failure`)
if (invariants.broken.length === 0) console.log('torture: all invariants hold')
else
  console.log(`torture: ${invariants.broken.length} invariants are broken; --seed ${options.seed} replays it`)
process.exit(invariants.broken.length === 0 ? 0 : 1)

function parseOptions() {
  const whole = { type: 'string' }
  try {
    const { values } = parseArgs({
      options: {
        scenario: { type: 'string', default: 'mixed' },
        seconds: whole,
        seed: whole,
        swaps: whole,
        callers: whole,
        times: whole,
        strict: { type: 'boolean', default: false },
        trace: { type: 'boolean', default: false },
        fault: { type: 'string', multiple: true },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.help) {
      console.log(help)
      process.exit(0)
    }
    if (!names.includes(values.scenario)) throw new Error(`--scenario: no "${values.scenario}"`)
    return {
      scenario: values.scenario,
      seconds: number(values, 'seconds', 60),
      seed: number(values, 'seed', Math.floor(Math.random() * 2 ** 31)),
      swaps: number(values, 'swaps', 20),
      callers: number(values, 'callers', 64),
      times: number(values, 'times', undefined),
      strict: values.strict,
      trace: values.trace,
      faults: values.fault,
    }
  } catch (error) {
    console.error(`torture: ${error.message}\n\n${help}`)
    process.exit(2)
  }
}

function number(values, name, otherwise) {
  if (values[name] === undefined) return otherwise
  const value = Number(values[name])
  if (!Number.isInteger(value) || value < 0) throw new Error(`--${name}: a whole number, not ${values[name]}`)
  return value
}
