import type { HostOptions } from '../host.js'
import { type NumberRule, replicaCount } from '../numbers.js'
import {
  defaultInstanceLimits,
  defaultRestartPolicy,
  defaultSlotLimits,
  type InstanceLimits,
  instanceRules,
  kinds,
  type RestartPolicy,
  restartRules,
  type SlotLimits,
  slotRules,
} from '../options.js'

/** One setting of the host: a flag of the command line and a key of appfactory.config.json. */
export interface Setting {
  /** In the file, and among the options of PluginHost: `restart.firstDelayMs`. */
  key: string
  /** On the command line, without its dashes: `restart-first-delay-ms`. */
  flag: string
  /** A map is `NAME=VALUE` on the command line, and an object in the file. */
  kind: 'flag' | 'text' | 'number' | 'list' | 'map'
  /** For `--help`. */
  describe: string
  /** In words, for the error. */
  takes: string
  /** Whether a value of the file, or of the command line once it is read, is right. */
  fits(value: unknown): boolean
  default: unknown
  /** Whether its values are paths: those of a file are relative to its folder. */
  isPath: boolean
  /** Whether `--help` shows it among the limits. */
  isLimit: boolean
}

const instanceWords: Record<keyof InstanceLimits, string> = {
  installTimeoutMs: 'Longest installation of missing packages',
  startTimeoutMs: 'Longest wait for the first answer of a process',
  pythonStartTimeoutMs: 'The same for a plugin in Python, whose imports may take long',
  initializeTimeoutMs: 'Longest initialize()',
  shutdownTimeoutMs: 'Longest shutdown()',
  healthTimeoutMs: 'Longest health check',
  callTimeoutMs: 'Longest call; of a stream, longest wait for a piece',
  unresponsiveTimeoutMs: 'How long a plugin’s event loop may stand still',
  stateTimeoutMs: 'Longest captureState() or restoreState()',
  maxMessageBytes: 'Longest message',
  maxStateBytes: 'Longest state that a swap carries over',
  maxCallsInFlight: 'Calls in flight at once, without streams',
  maxStreams: 'Open streams at once',
  maxHeapMb: 'JavaScript heap of a plugin, in MB; Python has none',
}

const slotWords: Record<keyof SlotLimits, string> = {
  healthIntervalMs: 'Time between two health checks',
  drainTimeoutMs: 'How long an unload or a swap waits for calls in flight',
  retireTimeoutMs: 'How long streams and sessions stay with a replaced plugin',
  maxQueuedCalls: 'Calls that wait while a plugin is started or swapped',
  maxSessions: 'Open sessions at once',
}

const restartWords: Record<keyof RestartPolicy, string> = {
  firstDelayMs: 'Longest wait before the first restart; doubles with each crash',
  maxDelayMs: 'Longest wait before any restart',
  maxCrashes: 'Crashes within restart-window-ms that mean quarantine',
  windowMs: 'Time in which crashes are counted',
  retryQuarantinedMs: 'How long a plugin stays in quarantine',
  maxMissedHealthChecks: 'Failed health checks in a row that mean a restart',
}

/** Options of PluginHost that are no limits. `restart` and `plugins` have tables of their own; `preferSource` and `inspect` are what `dev` does. */
type OtherOption = Exclude<
  keyof HostOptions,
  keyof InstanceLimits | keyof SlotLimits | 'restart' | 'plugins' | 'preferSource' | 'inspect'
>

type Described = Pick<Setting, 'kind' | 'describe' | 'default'> & { flag?: string; isPath?: boolean }

const others: Record<OtherOption, Described> = {
  pluginsDir: {
    kind: 'list',
    default: ['./plugins'],
    isPath: true,
    describe: 'Folder of plugins (repeatable)',
  },
  projectDir: {
    kind: 'text',
    default: '.',
    isPath: true,
    describe: 'Folder of a project whose npm dependencies may be plugins too',
  },
  configDir: {
    kind: 'text',
    default: './config',
    isPath: true,
    describe: 'Folder of <plugin>.json configurations',
  },
  logDir: {
    kind: 'text',
    default: './logs',
    isPath: true,
    describe: 'Folder of plugins.log and launcher.log; -: stderr instead',
  },
  logLevel: {
    kind: 'list',
    default: 'INFO',
    describe: 'Minimum LEVEL, or PLUGIN=LEVEL (repeatable): DEBUG, INFO, WARNING, ERROR, CRITICAL',
  },
  logFormat: { kind: 'text', default: 'json', describe: 'Format of log lines: json or text' },
  nodePath: {
    kind: 'text',
    default: undefined,
    describe: 'The Node that runs plugins: a path, or a name in PATH',
  },
  pythonPath: {
    kind: 'text',
    default: undefined,
    describe: 'The Python that runs plugins in Python: a path, or a name in PATH',
  },
  autoInstallDependencies: {
    kind: 'flag',
    default: false,
    flag: 'auto-install-deps',
    describe: 'Install missing packages of plugins, without running any of their code',
  },
  allowInstallScripts: {
    kind: 'flag',
    default: false,
    describe: 'Also run their install scripts and builds, which no permission limits',
  },
  traceWire: {
    kind: 'text',
    default: undefined,
    isPath: true,
    describe: 'File for every message between host and plugins, one a line',
  },
}

/** What every command with a host takes. */
export const hostSettings: readonly Setting[] = [
  ...Object.entries(others).map(([key, described]) => other(key, described)),
  ...limits(instanceWords, instanceRules, defaultInstanceLimits),
  ...limits(slotWords, slotRules, defaultSlotLimits),
  ...limits(restartWords, restartRules, defaultRestartPolicy, 'restart.'),
]

/** What only the commands that serve clients take. */
export const loadSettings: readonly Setting[] = [
  {
    ...{ key: 'load', flag: 'load', kind: 'list', default: [], isPath: false, isLimit: false },
    describe: 'Plugin to load at start-up, or PLUGIN=N: with N processes (repeatable)',
    takes: `an array of names of plugins, each with or without =N, where N is ${replicaCount.takes}`,
    fits: (value) => Array.isArray(value) && value.every(isLoad),
  },
  {
    ...{ key: 'autoLoad', flag: 'auto-load', kind: 'flag', default: false, isPath: false, isLimit: false },
    describe: 'Load all valid plugins at start-up',
    takes: 'true or false',
    fits: (value) => typeof value === 'boolean',
  },
  {
    ...{
      key: 'metricsPort',
      flag: 'metrics-port',
      kind: 'number',
      default: undefined,
      isPath: false,
      isLimit: false,
    },
    describe: 'Serve /metrics, /healthz and /readyz over HTTP on this port; 0: any, reported on stderr',
    takes: 'a whole number from 0 to 65535',
    fits: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535,
  },
  {
    ...{
      key: 'metricsHost',
      flag: 'metrics-host',
      kind: 'text',
      default: '127.0.0.1',
      isPath: false,
      isLimit: false,
    },
    describe: 'Address to serve them on; 0.0.0.0: all networks, where anybody may read them',
    takes: 'an address or a name of this machine',
    fits: (value) => typeof value === 'string' && value !== '',
  },
]

/** `tts_flite` and `tts_flite=4` */
function isLoad(value: unknown): boolean {
  if (typeof value !== 'string') return false
  const [name, replicas, ...more] = value.split('=')
  if (replicas === undefined) return true
  return name !== '' && more.length === 0 && /^\d{1,4}$/.test(replicas) && replicaCount.fits(Number(replicas))
}

function other(key: string, { flag = kebab(key), isPath = false, ...described }: Described): Setting {
  const { takes = '', fits = () => false } = kinds[key] ?? {}
  return { key, flag, isPath, isLimit: false, takes, fits, ...described }
}

function limits<Name extends string>(
  words: Readonly<Record<Name, string>>,
  rules: Readonly<Record<Name, NumberRule>>,
  defaults: Partial<Record<Name, number>>,
  prefix = '',
): Setting[] {
  const names = Object.keys(words) as Name[]
  return names.map((name) => ({
    key: `${prefix}${name}`,
    flag: kebab(`${prefix}${name}`),
    kind: 'number',
    describe: words[name],
    takes: rules[name].takes,
    fits: (value) => typeof value === 'number' && rules[name].fits(value),
    default: defaults[name],
    isPath: false,
    isLimit: true,
  }))
}

/** `restart.firstDelayMs` → `restart-first-delay-ms` */
function kebab(key: string): string {
  return key.replace('.', '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
