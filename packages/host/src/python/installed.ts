import { execFile } from 'node:child_process'
import { parseJson } from '@appfactory/sdk/internal'
import { pluginEnvironment } from '../plugins/environment.js'
import { holds, isInRange, type MarkerVariables, parseRequirement, type Requirement } from './requirement.js'

/** A requirement that an environment does not meet. */
export interface Missing {
  text: string
  /** The installed version; undefined if there is none. */
  found: string | undefined
}

/** A Python, as far as it is asked what is installed. */
interface Asked {
  file: string
  variables: MarkerVariables
}

/** How long the question may take, in ms: a slow disk with hundreds of packages takes seconds. */
const askTimeoutMs = 60_000
const maxAnswerBytes = 64 * 1024 * 1024

/** By metadata: an import would run code, and a package's name is not its module's. */
const question = `
import importlib.metadata, json, re, sys

def normal(name):
    return re.sub("[-_.]+", "-", name).lower()

def everything():
    found = {}
    for one in importlib.metadata.distributions():
        try:
            found.setdefault(normal(one.metadata["Name"]), one)
        except Exception:
            continue
    return found

def find(name):
    try:
        return importlib.metadata.distribution(name)
    except Exception:
        pass
    if not cache:
        cache.append(everything())
    return cache[0].get(name)

def describe(name, deep):
    one = find(name)
    version = None if one is None else one.version
    if version is None:
        return None
    lines = [line for line in one.requires or [] if "extra" in line] if deep else []
    queue.extend((normal(re.match("[A-Za-z0-9._-]+", line).group()), True) for line in lines)
    return {"version": version, "requires": lines}

cache, answers = [], {}
queue = [tuple(one) for one in json.loads(sys.stdin.buffer.read())]
while queue:
    name, deep = queue.pop()
    if (name, deep) in answers:
        continue
    try:
        answers[name, deep] = describe(name, deep)
    except Exception:
        answers[name, deep] = None
known = {name: one for (name, deep), one in sorted(answers.items()) if one}
sys.stdout.write(json.dumps(known))
`

interface Distribution {
  version: string
  /** What it needs with extras. */
  requires: readonly string[]
}

/**
 * The requirements that a Python's environment does not meet, with those of the extras that they ask for.
 *
 * @throws Error if the Python can't be asked.
 */
export async function missingIn(
  { file, variables }: Asked,
  requirements: readonly Requirement[],
  plugin: string,
  signal: AbortSignal,
): Promise<Missing[]> {
  const needed = requirements.filter(({ marker }) => holds(marker, variables))
  if (needed.length === 0) return []
  const known = await ask(file, needed, plugin, signal)
  const seen = new Set<string>()
  return needed.flatMap((requirement) => unmet(requirement, known, variables, seen))
}

function unmet(
  requirement: Requirement,
  known: ReadonlyMap<string, Distribution>,
  variables: MarkerVariables,
  seen: Set<string>,
): Missing[] {
  const { text, name, extras } = requirement
  const distribution = known.get(name)
  if (distribution === undefined || !isInRange(distribution.version, requirement))
    return [{ text: withoutMarker(text), found: distribution?.version }]
  return extras.flatMap((extra) => {
    const key = `${name}[${extra}]`
    if (seen.has(key)) return []
    seen.add(key)
    const parts = distribution.requires.flatMap((line) => parseRequirement(line) ?? [])
    const ofExtra = parts.filter(({ marker }) => holds(marker, variables, extra) && !holds(marker, variables))
    return ofExtra.flatMap((part) => unmet(part, known, variables, seen))
  })
}

function withoutMarker(text: string): string {
  return text.replace(/\s*;.*$/, '')
}

async function ask(
  file: string,
  needed: readonly Requirement[],
  plugin: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Distribution>> {
  const names = needed.map(({ name, extras }) => [name, extras.length > 0])
  const answer = parseJson(await run(file, JSON.stringify(names), plugin, signal))
  const known = new Map<string, Distribution>()
  for (const [name, one] of Object.entries(Object(answer))) {
    const { version, requires } = Object(one)
    if (typeof version === 'string' && Array.isArray(requires))
      known.set(name, { version, requires: requires.map(String) })
  }
  return known
}

function run(file: string, input: string, plugin: string, signal: AbortSignal): Promise<string> {
  const options = {
    // The environment may be one that the plugin brought along.
    env: pluginEnvironment(plugin, {}),
    timeout: askTimeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: maxAnswerBytes,
    windowsHide: true,
    signal,
  } as const
  return new Promise((resolve, reject) => {
    const child = execFile(file, ['-I', '-X', 'utf8', '-c', question], options, (error, stdout) => {
      if (error) reject(error)
      else resolve(stdout)
    })
    // What goes wrong with the pipe is an end of the process, which is told.
    child.stdin?.on('error', () => {}).end(input)
  })
}
