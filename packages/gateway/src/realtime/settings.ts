import type { Tool } from '@appfactory/sdk'
import type {
  RealtimeSessionCreateRequest,
  RealtimeTranscriptionSessionAudioInput,
  RealtimeTranscriptionSessionCreateRequest,
} from 'openai/resources/realtime/realtime'
import { unsupported, wrongMember } from '../errors.js'
import { checkJsonSchema } from '../openai/json-schema.js'
import type { GivenGeneration, GivenSession } from './events.table.js'
import { defaultFormat, formatOf, formatShown, type SoundFormat } from './sound.js'

/** When somebody is taken to speak, and what follows. */
export interface TurnDetection {
  type: 'server_vad' | 'semantic_vad'
  /** From 0 to 1: how loud speech has to be. */
  threshold: number
  /** How much sound from before the speech belongs to it, in ms. */
  prefixPaddingMs: number
  /** How long a silence ends the speech, in ms. */
  silenceDurationMs: number
  /** Whether an answer follows by itself. */
  createResponse: boolean
  /** Whether speech ends the answer under way. */
  interruptResponse: boolean
}

/** How answers are made. */
export interface AnswerSettings {
  instructions: string
  modality: 'text' | 'audio'
  /** Of the plugin that speaks. undefined: its own choice. */
  voice: string | undefined
  speed: number | undefined
  outputFormat: SoundFormat
  tools: readonly Tool[]
  toolChoice: 'auto' | 'none' | 'required' | { name: string }
  temperature: number | undefined
  maxOutputTokens: number | 'inf'
}

/** What holds in a session. */
export interface SessionSettings extends AnswerSettings {
  type: 'realtime' | 'transcription'
  /** Of the plugin that answers. undefined: the active one. */
  model: string | undefined
  inputFormat: SoundFormat
  /** null: transcripts are not told. */
  transcription: { model?: string; language?: string; prompt?: string } | null
  turnDetection: TurnDetection | null
}

const defaultDetection: TurnDetection = {
  type: 'server_vad',
  threshold: 0.5,
  prefixPaddingMs: 300,
  silenceDurationMs: 500,
  createResponse: true,
  interruptResponse: true,
}

export const defaultSettings: SessionSettings = {
  type: 'realtime',
  model: undefined,
  instructions: '',
  modality: 'audio',
  voice: undefined,
  speed: undefined,
  outputFormat: defaultFormat,
  tools: [],
  toolChoice: 'auto',
  temperature: undefined,
  maxOutputTokens: 'inf',
  inputFormat: defaultFormat,
  transcription: {},
  turnDetection: defaultDetection,
}

/** The settings after `session.update`. What it does not name stays. @throws RequestError. */
export function updated(settings: SessionSettings, given: GivenSession): SessionSettings {
  const { input = {} } = given.audio ?? {}
  const format = input.format ?? given.inputAudioFormat
  const transcription =
    input.transcription === undefined ? given.inputAudioTranscription : input.transcription
  const detection = input.turnDetection === undefined ? given.turnDetection : input.turnDetection
  return {
    ...settings,
    ...answerSettings(settings, given, 'session'),
    ...(given.type === undefined ? {} : { type: given.type }),
    ...(given.model === undefined ? {} : { model: given.model }),
    ...(format === undefined ? {} : { inputFormat: formatOf(format) }),
    ...(transcription === undefined ? {} : { transcription: transcriptionOf(settings, transcription) }),
    ...(detection === undefined ? {} : { turnDetection: detectionOf(detection) }),
  }
}

/** How one answer, or all answers, are made. @param path Where they stand in the event. @throws RequestError. */
export function answerSettings<Settings extends AnswerSettings>(
  settings: Settings,
  given: GivenGeneration & { speed?: number | undefined },
  path: string,
): Settings {
  const { output = {} } = given.audio ?? {}
  const modalities = given.outputModalities ?? given.modalities
  const voice = output.voice ?? given.voice
  const format = output.format ?? given.outputAudioFormat
  const speed = output.speed ?? given.speed
  const most = given.maxOutputTokens ?? given.maxResponseOutputTokens
  const tools = given.tools ? toolsOf(given.tools, `${path}.tools`) : settings.tools
  return {
    ...settings,
    tools,
    ...(given.instructions === undefined ? {} : { instructions: given.instructions }),
    ...(modalities === undefined ? {} : { modality: modalities.includes('audio') ? 'audio' : 'text' }),
    ...(voice === undefined ? {} : { voice: typeof voice === 'string' ? voice : voice.id }),
    ...(format === undefined ? {} : { outputFormat: formatOf(format) }),
    ...(speed === undefined ? {} : { speed }),
    ...(given.toolChoice === undefined ? {} : { toolChoice: choiceOf(given.toolChoice, tools, path) }),
    ...(given.temperature === undefined ? {} : { temperature: given.temperature }),
    ...(most === undefined ? {} : { maxOutputTokens: most }),
  }
}

type GivenDetection = NonNullable<GivenSession['turnDetection']>

/** What is left out has its default: an object stands for all of it. */
function detectionOf(given: GivenDetection | null): TurnDetection | null {
  if (given === null || given.type === 'none') return null
  const known = Object.entries(given).filter(
    ([name, value]) => name in defaultDetection && value !== undefined,
  )
  return { ...defaultDetection, ...Object.fromEntries(known) }
}

type GivenTranscription = GivenSession['inputAudioTranscription']

function transcriptionOf(
  { transcription }: SessionSettings,
  given: Exclude<GivenTranscription, undefined>,
): SessionSettings['transcription'] {
  if (given === null) return null
  const { model, languages, prompt } = given
  const language = given.language ?? languages?.[0]
  return {
    ...transcription,
    ...(model === undefined ? {} : { model }),
    // An empty text asks for the plugin's own choice.
    ...(language ? { language } : {}),
    ...(prompt ? { prompt } : {}),
  }
}

function toolsOf(given: NonNullable<GivenGeneration['tools']>, path: string): Tool[] {
  const tools = given.map(({ type = 'function', name, description, parameters }, index) => {
    const place = `${path}[${index}]`
    if (type !== 'function') throw unsupported(`${place}.type`, 'must be "function"')
    if (name === undefined) throw wrongMember(`${place}.name`, 'is required')
    if (parameters) checkJsonSchema(parameters, `${place}.parameters`)
    return {
      name,
      ...(description === undefined ? {} : { description }),
      ...(parameters === undefined ? {} : { parameters }),
    }
  })
  const names = tools.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw wrongMember(path, `two tools have the name ${JSON.stringify(twice)}`)
  return tools
}

function choiceOf(
  given: NonNullable<GivenGeneration['toolChoice']>,
  tools: readonly Tool[],
  path: string,
): AnswerSettings['toolChoice'] {
  if (typeof given === 'string') return given
  const { name } = given
  if (tools.some((tool) => tool.name === name) && name !== undefined) return { name }
  throw wrongMember(
    `${path}.tool_choice`,
    `names ${JSON.stringify(name ?? null)}, which is none of the tools`,
  )
}

type Shown = (RealtimeSessionCreateRequest | RealtimeTranscriptionSessionCreateRequest) & {
  id: string
  object: 'realtime.session' | 'realtime.transcription_session'
}

/** A session as it is told to its client. */
export function shown(settings: SessionSettings, id: string): Shown {
  const { transcription } = settings
  const input = {
    format: formatShown(settings.inputFormat),
    turn_detection: detectionShown(settings),
    ...(transcription ? { transcription } : {}),
  }
  if (settings.type === 'transcription')
    return { type: 'transcription', id, object: 'realtime.transcription_session', audio: { input } }
  return {
    type: 'realtime',
    id,
    object: 'realtime.session',
    ...(settings.model === undefined ? {} : { model: settings.model }),
    output_modalities: [settings.modality],
    instructions: settings.instructions,
    tools: toolsShown(settings),
    tool_choice: choiceShown(settings),
    max_output_tokens: settings.maxOutputTokens,
    audio: {
      input,
      output: {
        format: formatShown(settings.outputFormat),
        ...(settings.voice === undefined ? {} : { voice: settings.voice }),
        speed: settings.speed ?? 1,
      },
    },
  }
}

type DetectionShown = NonNullable<RealtimeTranscriptionSessionAudioInput['turn_detection']>

function detectionShown({ turnDetection, type }: SessionSettings): DetectionShown | null {
  if (turnDetection === null) return null
  const { threshold, prefixPaddingMs, silenceDurationMs, createResponse, interruptResponse } = turnDetection
  const follows = { create_response: createResponse, interrupt_response: interruptResponse }
  const common = type === 'realtime' ? follows : {}
  if (turnDetection.type === 'semantic_vad') return { type: turnDetection.type, ...common }
  return {
    type: turnDetection.type,
    threshold,
    prefix_padding_ms: prefixPaddingMs,
    silence_duration_ms: silenceDurationMs,
    ...common,
  }
}

function toolsShown({
  tools,
}: SessionSettings): { type: 'function'; name: string; description?: string; parameters?: unknown }[] {
  return tools.map(({ name, description, parameters }) => ({
    type: 'function',
    name,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
  }))
}

function choiceShown({
  toolChoice,
}: SessionSettings): 'auto' | 'none' | 'required' | { type: 'function'; name: string } {
  return typeof toolChoice === 'string' ? toolChoice : { type: 'function', name: toolChoice.name }
}
