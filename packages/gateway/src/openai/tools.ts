import type { GenerationOptions, Tool } from '@appfactory/sdk'
import { unsupported, wrongMember } from '../errors.js'
import type { ChatRequest, NamedTool } from './generation.table.js'
import { checkJsonSchema } from './json-schema.js'
import type { ResponseRequest } from './responses.table.js'

type ToolOptions = Pick<GenerationOptions, 'tools' | 'toolChoice'>

/** What is checked here to be there. */
type Optional<Value> = { [Name in keyof Value]?: Value[Name] | undefined }

/** What a client says of tools, whatever the API calls it. */
interface Asked {
  tools: Tool[]
  /** Such as `tools`. */
  path: string
  choice:
    | 'auto'
    | 'none'
    | 'required'
    | { name: string }
    | { mode: 'auto' | 'required'; names: string[] }
    | undefined
  choicePath: string
}

/** The tools of a chat, and which of them may be called. @throws RequestError 400. */
export function chatTools(request: ChatRequest): ToolOptions {
  const { tools = [], functions = [], functionCall, toolChoice } = request
  const given = tools.map(({ type, function: named }, index) => {
    refuseOtherType(type, `tools[${index}]`)
    return toolOf(named, `tools[${index}].function`)
  })
  const old = functions.map((named, index) => toolOf(named, `functions[${index}]`))
  const isOld = toolChoice === undefined && request.tools === undefined
  return checked({
    tools: [...given, ...old],
    path: request.tools ? 'tools' : 'functions',
    choice: isOld ? functionCall : chatChoice(toolChoice),
    choicePath: isOld ? 'function_call' : 'tool_choice',
  })
}

/** The tools of a response, and which of them may be called. @throws RequestError 400. */
export function responseTools({ tools = [], toolChoice }: ResponseRequest): ToolOptions {
  const given = tools.map((tool, index) => {
    refuseOtherType(tool.type, `tools[${index}]`)
    return toolOf(tool, `tools[${index}]`)
  })
  return checked({
    tools: given,
    path: 'tools',
    choice: responseChoice(toolChoice),
    choicePath: 'tool_choice',
  })
}

/** Whether a client speaks of functions, as before there were tools. */
export function isLegacy({ functions, tools }: ChatRequest): boolean {
  return functions !== undefined && tools === undefined
}

function refuseOtherType(type: string, path: string): void {
  if (type !== 'function') throw unsupported(`${path}.type`, 'must be "function"')
}

function toolOf(given: Optional<NamedTool> | undefined, path: string): Tool {
  if (!given) throw wrongMember(path, 'is required')
  const { name, description, parameters } = given
  if (name === undefined) throw wrongMember(`${path}.name`, 'is required')
  if (parameters) checkJsonSchema(parameters, `${path}.parameters`)
  return {
    name,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
  }
}

function chatChoice(choice: ChatRequest['toolChoice']): Asked['choice'] {
  if (choice === undefined || typeof choice === 'string') return choice
  if (choice.type === 'function') return { name: choice.function.name }
  const { mode, tools } = choice.allowedTools
  return { mode, names: tools.map((tool) => tool.function.name) }
}

function responseChoice(choice: ResponseRequest['toolChoice']): Asked['choice'] {
  if (choice === undefined || typeof choice === 'string') return choice
  if (choice.type === 'function') return { name: choice.name }
  return { mode: choice.mode, names: choice.tools.map(({ name }) => name) }
}

function checked({ tools, path, choice, choicePath }: Asked): ToolOptions {
  const names = tools.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw wrongMember(path, `two tools have the name ${JSON.stringify(twice)}`)
  if (choice === 'required' && tools.length === 0) throw wrongMember(choicePath, 'needs tools')
  const chosen = typeof choice !== 'object' ? [] : 'names' in choice ? choice.names : [choice.name]
  const unknown = chosen.find((name) => !names.includes(name))
  if (unknown !== undefined)
    throw wrongMember(choicePath, `names ${JSON.stringify(unknown)}, which is none of the tools`)
  if (tools.length === 0) return {}
  if (choice === undefined) return { tools }
  if (typeof choice === 'string') return { tools, toolChoice: choice }
  if ('name' in choice) return { tools, toolChoice: { name: choice.name } }
  if (chosen.length === 0) throw wrongMember(choicePath, 'must allow at least one of the tools')
  return { tools: tools.filter(({ name }) => chosen.includes(name)), toolChoice: choice.mode }
}
