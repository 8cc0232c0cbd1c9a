import {
  areTexts,
  flag,
  isEach,
  isText,
  list,
  numbers,
  type SettingRow,
  settingsOf,
  text,
} from './setting-rows.js'

const rows: Readonly<Record<string, SettingRow>> = {
  port: {
    kind: 'number',
    default: 8080,
    describe: 'Port; 0: any',
    takes: 'a whole number from 0 to 65535',
    fits: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535,
  },
  address: {
    ...text,
    flag: 'host',
    default: '127.0.0.1',
    describe: 'Address to serve on; any but 127.0.0.1 needs keys',
  },
  keyFile: {
    ...text,
    isPath: true,
    describe: 'FILE of keys: one a line, or JSON; further ones may be in APPFACTORY_GATEWAY_KEYS',
  },
  allowOpen: { ...flag, describe: 'Serve other machines without keys' },
  models: {
    kind: 'map',
    flag: 'model',
    describe: 'Another name for a model: ALIAS=PLUGIN[/MODEL][?voice=NAME][,PLUGIN…] (repeatable)',
    takes:
      'ALIAS=PLUGIN, ALIAS=PLUGIN/MODEL, ALIAS=PLUGIN?voice=NAME or ALIAS=PLUGIN,PLUGIN; in a file, an object of these',
    fits: isEach(isText),
  },
  voices: {
    kind: 'map',
    flag: 'voice',
    describe: 'Another name for a voice: NAME=VOICE (repeatable)',
    takes: 'NAME=VOICE; in a file, an object of these',
    fits: isEach((value) => isText(value) || areTexts(value)),
  },
  fallbackModel: { ...text, describe: 'What answers for unknown chat models' },
  strictModels: { ...flag, describe: 'Do not know OpenAI’s names, such as tts-1 and whisper-1' },
  hostNames: {
    ...list,
    flag: 'host-name',
    describe: 'Another name that clients address it by (repeatable)',
  },
  cors: { ...list, describe: 'Origin of pages that may ask: https://app.example (repeatable)' },
  publicListings: { ...flag, describe: 'List voices and speech models without a key' },
  quietHeaders: { ...flag, describe: 'Send no x-appfactory-… headers' },
  maxTokens: {
    kind: 'number',
    describe:
      'Most tokens of an answer, where the client names no bound; the model’s context length by default',
    takes: 'a whole number from 1 on',
    fits: (value) => Number.isInteger(value) && Number(value) >= 1,
  },
  keepAlive: {
    ...text,
    default: 'comment',
    describe: 'What a silent stream sends: comment, chunk or off',
    takes: 'comment, chunk or off',
    fits: (value) => value === 'comment' || value === 'chunk' || value === 'off',
  },
  stateless: { ...flag, describe: 'Keep no answers of /v1/responses for previous_response_id' },
  hear: { ...flag, describe: 'Let the active STT plugin hear sound that a model does not take' },
  openaiOnly: { ...flag, describe: 'Serve no methods of plugins at /plugins, and no /openapi.json' },
  mcp: { ...flag, describe: 'Serve the methods of plugins as tools of MCP, at /mcp' },
  mcpRoot: {
    ...text,
    isPath: true,
    describe: 'FOLDER whose files clients of MCP may name in place of bytes',
  },
  metrics: { ...flag, describe: 'Serve Prometheus’ metrics of the gateway and its host, at /metrics' },
  publicMetrics: { ...flag, describe: 'Serve /metrics without a key' },
  realtimeEars: { ...text, describe: 'Plugin that listens in /realtime; the active one by default' },
  realtimeVoice: { ...text, describe: 'Plugin that speaks in /realtime; the active one by default' },
  tlsCert: { ...text, isPath: true, describe: 'FILE of a certificate in PEM: serve HTTPS' },
  tlsKey: { ...text, isPath: true, describe: 'FILE of the certificate’s key in PEM' },
  wyoming: {
    ...list,
    describe: 'Port for Home Assistant: PORT for all plugins, PLUGIN=PORT for one (repeatable)',
  },
  wyomingAddress: {
    ...text,
    default: '127.0.0.1',
    describe: 'Address of those ports; any but 127.0.0.1 needs --allow-open',
  },
  limits: {
    ...numbers,
    flag: 'limit',
    describe: 'Limit of the gateway: NAME=NUMBER, such as maxBodyBytes=1000000 (repeatable)',
  },
}

/** What only `gateway` takes: keys of `gateway` in the file. */
export const gatewaySettings = settingsOf('gateway', rows)
