import { clusterSettings, reachSettings } from './cluster-settings.js'
import { gatewaySettings } from './gateway-settings.js'
import type { Streams } from './output.js'
import { hostSettings, loadSettings, type Setting } from './settings.js'

/** An option of the command line. */
export interface Option {
  /** A list may be given more than once. All but flags take a value. */
  kind: 'flag' | 'text' | 'number' | 'list'
  /** Text for `--help`. Without it, the option is not listed there. */
  describe?: string
  /** Default: false for a flag, none for the others. */
  default?: string | number | undefined
}

export type Options = Readonly<Record<string, Option>>

/** An argument without a flag. Without a default it must be given. */
export interface Positional {
  describe: string
  default?: string
}

/** One row of the table: its help and its parser are made from it. */
export interface Command {
  /** `$0` is what runs without the name of a command. */
  name: string
  /** Text for `--help`. Without it, the command is not listed there. */
  description?: string
  positionals: Readonly<Record<string, Positional>>
  /** Besides the settings. */
  options: Options
  /** The settings that it takes. Without them, no configuration file is read. */
  settings?: readonly Setting[]
  /** Defaults of settings that are others here, by their keys. */
  defaults?: Readonly<Record<string, unknown>>
  /** Resolves to the exit code. Loads what the command needs only then. */
  run(streams: Streams, args: never): Promise<number>
}

const syncMode: Option = { kind: 'flag', describe: 'Process requests one at a time, in order' }
const json: Option = { kind: 'flag', describe: 'Print JSON' }
const jsonConfig: Option = { kind: 'flag', describe: 'With --print-config: print JSON' }
const config: Option = {
  kind: 'list',
  describe: 'Configuration of the plugin as a JSON object, or the FILE of settings (repeatable: one of each)',
}
const on: Option = {
  kind: 'list',
  describe: 'Name of a node, or several with commas (repeatable) [default: all that have it]',
}
const mcpRoot: Option = {
  kind: 'text',
  describe: 'FOLDER whose files clients of MCP may name in place of bytes [default: none]',
}
const pluginDir: Positional = { describe: 'Folder of the plugin' }

/** Options of every command that takes settings. */
export const settingsOptions: Options = {
  config: {
    kind: 'list',
    describe: 'FILE of settings [default: appfactory.config.json of the working directory]',
  },
  'print-config': { kind: 'flag', describe: 'Print the settings that hold and where each comes from' },
}

/** Serves one client; also what runs without the name of a command. */
const serve: Omit<Command, 'name'> = {
  positionals: {},
  options: {
    'sync-mode': syncMode,
    listen: {
      kind: 'text',
      describe: 'Serve any number of callers at this PATH of a socket, in place of stdin and stdout',
    },
    rights: { kind: 'text', default: 'call', describe: 'With --listen: what callers may do; call or all' },
    'max-callers': { kind: 'number', default: 1024, describe: 'With --listen: callers at once' },
    json: jsonConfig,
  },
  settings: [...hostSettings, ...loadSettings, ...clusterSettings],
  run: async (streams, args) => (await import('./serve.js')).serve(streams, args),
}

const settingsOf = (...keys: readonly string[]): readonly Setting[] =>
  hostSettings.filter(({ key }) => keys.includes(key))

/** All settings of a host but these. */
const settingsWithout = (...keys: readonly string[]): readonly Setting[] =>
  hostSettings.filter(({ key }) => !keys.includes(key))

export const commands: readonly Command[] = [
  { name: '$0', ...serve },
  {
    name: 'serve',
    description: 'Serve plugins on stdin and stdout, as without a command',
    ...serve,
  },
  {
    name: 'health',
    description: 'Ask a running host whether it is ready: exit code 0 if it is, 1 if not',
    positionals: {},
    options: {
      port: { kind: 'number', default: 9464, describe: 'Its --metrics-port' },
      host: { kind: 'text', default: '127.0.0.1', describe: 'Its --metrics-host' },
      timeout: { kind: 'number', default: 3000, describe: 'Longest wait for the answer, in ms' },
      json,
    },
    run: async (streams, args) => (await import('./health.js')).health(streams, args),
  },
  {
    name: 'dev',
    description: 'Serve the plugin in a folder, or a folder of plugins, and reload on every save',
    positionals: { dir: { default: '.', describe: 'Folder' } },
    // The folder is the positional argument.
    settings: settingsWithout('pluginsDir'),
    // Otherwise, logs would be written into the plugin's folder.
    defaults: { logDir: undefined },
    options: {
      'sync-mode': syncMode,
      tester: { kind: 'flag', describe: 'Serve the Plugin Tester too' },
      port: { kind: 'number', describe: 'Its port on 127.0.0.1 [default: any]' },
      open: { kind: 'flag', describe: 'Open its page in the browser' },
      inspect: {
        kind: 'flag',
        describe: 'Open the debugger of each plugin, on 127.0.0.1; --inspect=NAME: of that one',
      },
      'debug-python': {
        kind: 'flag',
        describe: 'The same, of plugins in Python only: debugpy, which their environment must have',
      },
      'inspect-plugin': { kind: 'list' },
      'inspect-brk': { kind: 'flag', describe: 'As --inspect; plugins wait for it before their code runs' },
      'inspect-port': {
        kind: 'number',
        describe: 'Port that leads to the debugger of the plugin, also after a reload [default: none]',
      },
      json: { kind: 'flag', describe: 'Print events as JSON lines on stderr' },
    },
    run: async (streams, args) => (await import('./dev.js')).dev(streams, args),
  },
  {
    name: 'list',
    description: 'List all plugins',
    positionals: {},
    options: { json },
    settings: settingsOf('pluginsDir', 'projectDir'),
    run: async (streams, args) => (await import('./list.js')).list(streams, args),
  },
  {
    name: 'add',
    description: 'Install a plugin into the plugins folder, without running any of its code',
    positionals: { package: { describe: 'Name of an npm package, a folder, or a .tgz file' } },
    options: { force: { kind: 'flag', describe: 'Replace a plugin that is there' }, json },
    settings: settingsOf('pluginsDir', 'allowInstallScripts', 'installTimeoutMs'),
    run: async (streams, args) => (await import('./add.js')).add(streams, args),
  },
  {
    name: 'remove',
    description: 'Remove a plugin from its plugins folder',
    positionals: { plugin: { describe: 'Name of the plugin' } },
    options: {
      force: { kind: 'flag', describe: 'Also if it was not installed with add: delete its folder' },
      json,
    },
    settings: settingsOf('pluginsDir'),
    run: async (streams, args) => (await import('./remove.js')).remove(streams, args),
  },
  {
    name: 'gateway',
    description: 'Serve plugins over OpenAI’s HTTP API, with @appfactory/gateway',
    positionals: {},
    options: { json: jsonConfig },
    settings: [...hostSettings, ...loadSettings, ...gatewaySettings, ...reachSettings],
    run: async (streams, args) => (await import('./gateway.js')).gateway(streams, args),
  },
  {
    name: 'mcp',
    description: 'Serve plugins as tools of MCP on stdin and stdout, with @appfactory/gateway',
    positionals: {},
    options: { 'mcp-root': mcpRoot, json: jsonConfig },
    settings: [...hostSettings, ...loadSettings, ...reachSettings],
    run: async (streams, args) => (await import('./mcp.js')).mcp(streams, args),
  },
  {
    name: 'nodes',
    description: 'List the nodes of a cluster and their plugins, with @appfactory/cluster',
    positionals: {},
    options: { json },
    settings: reachSettings,
    run: async (streams, args) => (await import('./nodes.js')).nodes(streams, args),
  },
  {
    name: 'drain',
    description: 'Let a node of a cluster finish its calls, and end',
    positionals: { node: { describe: 'Name of the node' } },
    options: { json },
    settings: reachSettings,
    run: async (streams, args) => (await import('./nodes.js')).drain(streams, args),
  },
  {
    name: 'load',
    description: 'Load a plugin on nodes of a cluster, or keep it running on any of them',
    positionals: { plugin: { describe: 'Name of the plugin' } },
    options: {
      on: {
        kind: 'list',
        describe: 'Name of a node, or KEY=VALUE that a node must have (repeatable) [default: any node]',
      },
      replicas: { kind: 'number', describe: 'Processes on each named node, or on all together [default: 1]' },
      config,
      json,
    },
    settings: reachSettings,
    run: async (streams, args) => (await import('./administer.js')).load(streams, args),
  },
  {
    name: 'unload',
    description: 'Unload a plugin on nodes of a cluster',
    positionals: { plugin: { describe: 'Name of the plugin' } },
    options: { on, force: { kind: 'flag', describe: 'Do not wait for its calls in flight' }, json },
    settings: reachSettings,
    run: async (streams, args) => (await import('./administer.js')).unload(streams, args),
  },
  {
    name: 'scale',
    description: 'Change how many processes a plugin has on each node of a cluster',
    positionals: {
      plugin: { describe: 'Name of the plugin' },
      replicas: {
        describe:
          'Processes on each node, from 1 to 64; on all together, from 1 to 1000, where it is kept running on any',
      },
    },
    options: { on, json },
    settings: reachSettings,
    run: async (streams, args) => (await import('./administer.js')).scale(streams, args),
  },
  {
    name: 'swap',
    description: 'Replace a plugin on one node of a cluster after the other, while calls go on',
    positionals: {
      plugin: { describe: 'Name of the plugin' },
      replacement: {
        default: '',
        describe:
          'Name of the plugin that takes its place; without it: the same, from its files as they are now',
      },
    },
    options: {
      on,
      rollback: { kind: 'flag', describe: 'Where one node fails, swap those before it back' },
      'fresh-state': { kind: 'flag', describe: 'Do not hand over the state of the old one' },
      config,
      json,
    },
    settings: reachSettings,
    run: async (streams, args) => (await import('./administer.js')).swap(streams, args),
  },
  {
    name: 'nats-config',
    description: 'Write the configuration of a NATS server for a cluster, with a secret file for each member',
    positionals: {},
    options: {
      namespace: { kind: 'text', describe: 'Namespace of the cluster' },
      nodes: { kind: 'list', describe: 'Name of a node, or several with commas (repeatable)' },
      callers: { kind: 'list', describe: 'Who may call plugins, in the same way (repeatable)' },
      admins: { kind: 'list', describe: 'Who may also load, swap and unload them (repeatable)' },
      out: { kind: 'text', default: 'nats', describe: 'Folder to write to' },
      port: { kind: 'number', default: 4222, describe: 'Port of the server' },
      host: { kind: 'text', default: '127.0.0.1', describe: 'Its address; any but 127.0.0.1 needs TLS' },
      'tls-cert': { kind: 'text', describe: 'FILE of its certificate in PEM, as the server finds it' },
      'tls-key': { kind: 'text', describe: 'FILE of the certificate’s key in PEM' },
      force: { kind: 'flag', describe: 'Replace files that are there' },
    },
    run: async (streams, args) => (await import('./nats-config.js')).natsConfig(streams, args),
  },
  {
    name: 'validate',
    description: 'Check the plugin in a folder, or all plugins in a folder of plugins',
    positionals: { dir: { describe: 'Folder' } },
    options: { json },
    run: async (streams, args) => (await import('./validate.js')).validate(streams, args),
  },
  {
    name: 'call',
    description: 'Load a plugin, call one method and print the result; with --nats: call it on a cluster',
    settings: [...hostSettings, ...reachSettings],
    positionals: {
      plugin: { describe: 'Name of the plugin' },
      method: { describe: 'Wire name of the method: get_voices' },
    },
    options: {
      args: { kind: 'text', describe: 'Arguments as a JSON object' },
      file: {
        kind: 'list',
        describe: 'ARG=PATH: the bytes of a file as an argument, such as audio=hello.wav (repeatable)',
      },
      config,
      out: { kind: 'text', describe: 'File for the bytes of the result, or for the result as JSON' },
      timeout: { kind: 'number', describe: 'Longest time of the call, in ms' },
      replicas: { kind: 'number', describe: 'Processes of the plugin, from 1 to 64' },
      json,
    },
    run: async (streams, args) => (await import('./call.js')).call(streams, args),
  },
  {
    name: 'test',
    description: 'Check the plugin in a folder against its contract',
    // Its logs are shown with the checks that fail.
    settings: settingsWithout('pluginsDir', 'logDir', 'logLevel'),
    positionals: { dir: pluginDir },
    options: {
      only: {
        kind: 'list',
        describe: 'Id of a check to run, with * for any text: "tts.*" (repeatable)',
      },
      config,
      samples: {
        kind: 'text',
        describe: 'JSON file with arguments for the methods: {"synthesize": {"text": "Hello"}}',
      },
      timeout: { kind: 'number', describe: 'Longest time of one call, in ms [default: 30000]' },
      junit: { kind: 'text', describe: 'File for a JUnit XML report' },
      json,
    },
    run: async (streams, args) => (await import('./test.js')).test(streams, args),
  },
  {
    name: 'manifest',
    description: 'Write config_schema to the manifest from the Zod schema in the plugin’s code',
    positionals: { dir: pluginDir },
    options: {
      check: { kind: 'flag', describe: 'Write nothing; exit with 1 if the manifest is out of date' },
      json,
    },
    run: async (streams, args) => (await import('./manifest.js')).manifest(streams, args),
  },
  {
    name: 'tester',
    description: 'Serve the Plugin Tester: a local web page to call, monitor and load-test plugins',
    positionals: {},
    options: {
      port: { kind: 'number', default: 0, describe: 'Port on 127.0.0.1; 0: any' },
      open: { kind: 'flag', describe: 'Open the page in the browser' },
      json: jsonConfig,
    },
    settings: [...hostSettings, ...reachSettings],
    run: async (streams, args) => (await import('./tester.js')).tester(streams, args),
  },
]
