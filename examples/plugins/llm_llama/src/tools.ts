import { type GenerationOptions, PluginError, type Tool } from '@appfactory/sdk'
import { type ChatWrapper, LlamaText } from 'node-llama-cpp'
import { type GrammarSchema, grammarSchema, type SchemaBounds } from './schema.js'
import { cannot } from './schema-rules.js'

interface Called {
  description?: string
  params?: GrammarSchema
}

/** What a model may call. */
export interface Functions {
  functions: Readonly<Record<string, Called>>
  /** Whether it has to call one. */
  isForced: boolean
}

/** The tools of a chat; undefined: none may be called. @throws PluginError INVALID_PARAMS. */
export function functionsOf(
  { tools = [], toolChoice = 'auto', responseFormat }: GenerationOptions,
  bounds: SchemaBounds,
): Functions | undefined {
  if (tools.length === 0 || toolChoice === 'none') return undefined
  const isForced = toolChoice !== 'auto'
  if (!isForced && responseFormat !== undefined && responseFormat.type !== 'text')
    throw refusal(
      'response_format',
      'A model that may call tools writes plain text otherwise. Ask for one of both',
    )
  const name = typeof toolChoice === 'object' ? toolChoice.name : undefined
  const chosen = [...tools.entries()].filter(([, tool]) => name === undefined || tool.name === name)
  if (chosen.length === 0) throw refusal('tool_choice', `There is no tool "${name}" among the tools`)
  const functions = chosen.map(([index, tool]) => [tool.name, functionOf(tool, `tools[${index}]`, bounds)])
  return { functions: Object.fromEntries(functions), isForced }
}

/** Whoever sends tools waits for calls: an answer without any would be taken for the model’s choice. */
export function refuseUnknownTools(): never {
  throw refusal(
    'tools',
    'The plain format tells the model of no tools, so that it would call none. Use a model with a chat template and "prompt_format": "template", or a tool_choice that demands a call',
  )
}

/** Writes a conversation down as another wrapper does, with or without what there is to call, and begins the answer with a call. */
export function withCall(wrapper: ChatWrapper, describes: boolean): ChatWrapper {
  const calling: ChatWrapper = Object.create(wrapper)
  calling.generateContextState = ({ chatHistory, ...functions }) => {
    const options = describes ? { chatHistory, ...functions } : { chatHistory }
    const { contextText, stopGenerationTriggers } = wrapper.generateContextState(options)
    return {
      contextText,
      stopGenerationTriggers,
      noPrefixTrigger: { type: 'functionCall', inject: LlamaText([]) },
    }
  }
  return calling
}

function functionOf({ name, description, parameters }: Tool, path: string, bounds: SchemaBounds): Called {
  if (name === '' || /\s/.test(name)) throw cannot(`${path}.name`, 'must be a word without blanks')
  return {
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { params: paramsOf(parameters, `${path}.parameters`, bounds) }),
  }
}

/** Arguments are an object, whatever else a schema would allow. */
function paramsOf(parameters: object, path: string, bounds: SchemaBounds): GrammarSchema {
  const { type = 'object' } = { ...parameters } as { type?: unknown }
  if (type !== 'object') throw cannot(`${path}.type`, 'must be "object"')
  return grammarSchema({ ...parameters, type }, path, bounds)
}

function refusal(path: string, message: string): PluginError {
  return new PluginError('INVALID_PARAMS', `${path}: ${message}`, { issues: [{ path, message }] })
}
