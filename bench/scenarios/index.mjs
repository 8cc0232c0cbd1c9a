import { aiSdkSpeech, aiSdkText } from './ai-sdk.mjs'
import { audio } from './audio.mjs'
import { calls } from './calls.mjs'
import { checks } from './checks.mjs'
import { clusterScenarios } from './cluster.mjs'
import { clusterFaultScenarios } from './cluster-faults.mjs'
import { throughCommand } from './command.mjs'
import { gatewayScenarios } from './gateway.mjs'
import { gatewayAudioScenarios } from './gateway-audio.mjs'
import { hundred } from './hundred.mjs'
import { latency } from './latency.mjs'
import { longLine } from './long-line.mjs'
import { memory } from './memory.mjs'
import { pieces } from './pieces.mjs'
import { ping } from './ping.mjs'
import { pythonScenarios } from './python.mjs'
import { replicasScenario, shortCalls } from './replicas.mjs'
import { start } from './start.mjs'
import { traces } from './traces.mjs'

/** In the order in which they are run and shown. */
export const scenarios = [
  calls,
  latency,
  audio,
  throughCommand,
  pieces,
  ping,
  start,
  memory,
  hundred,
  longLine,
  checks,
  traces,
  replicasScenario,
  shortCalls,
  aiSdkText,
  aiSdkSpeech,
  ...pythonScenarios,
  ...gatewayScenarios,
  ...gatewayAudioScenarios,
  ...clusterScenarios,
  ...clusterFaultScenarios,
]
