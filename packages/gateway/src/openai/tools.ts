import type { GenerationOptions, Tool } from '@appfactory/sdk'
import { unsupported, wrongMember } from '../errors.js'
import type { ChatRequest } from './generation.table.js'
import { checkJsonSchema } from './json-schema.js'

type ToolOptions = Pick<GenerationOptions, 'tools' | 'toolChoice'>
type Named = NonNullable<ChatRequest['functions']>[number]

/** The tools of a request, and which of them may be called. @throws RequestError 400. */
export function toolsOf(request: ChatRequest): ToolOptions {
  const tools = [...givenTools(request), ...givenFunctions(request)]
  const names = tools.map(({ name }) => name)
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index)
  const path = request.tools ? 'tools' : 'functions'
  if (twice >= 0) throw wrongMember(path, `two tools have the name ${JSON.stringify(names[twice])}`)
  const chosen = choiceOf(request, tools)
  return tools.length === 0 ? {} : { tools, ...chosen }
}

/** Whether a client speaks of functions, as before there were tools. */
export function isLegacy({ functions, tools }: ChatRequest): boolean {
  return functions !== undefined && tools === undefined
}

function givenTools({ tools = [] }: ChatRequest): Tool[] {
  return tools.map(({ type, function: named }, index) => {
    const path = `tools[${index}]`
    if (type !== 'function') throw unsupported(`${path}.type`, 'must be "function"')
    if (!named) throw wrongMember(`${path}.function`, 'is required')
    return toolOf(named, `${path}.function`)
  })
}

function givenFunctions({ functions = [] }: ChatRequest): Tool[] {
  return functions.map((named, index) => toolOf(named, `functions[${index}]`))
}

function toolOf({ name, description, parameters }: Named, path: string): Tool {
  if (parameters) checkJsonSchema(parameters, `${path}.parameters`)
  return {
    name,
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
  }
}

function choiceOf({ toolChoice, functionCall, tools }: ChatRequest, known: readonly Tool[]): ToolOptions {
  const refuseUnknown = (name: string, path: string): void => {
    if (!known.some((tool) => tool.name === name))
      throw wrongMember(path, `names ${JSON.stringify(name)}, which is none of the tools`)
  }
  if (toolChoice === undefined && tools === undefined && functionCall !== undefined) {
    if (typeof functionCall === 'string') return { toolChoice: functionCall }
    refuseUnknown(functionCall.name, 'function_call')
    return { toolChoice: { name: functionCall.name } }
  }
  if (toolChoice === undefined || typeof toolChoice === 'string') {
    if (toolChoice === 'required' && known.length === 0) throw wrongMember('tool_choice', 'needs tools')
    return toolChoice === undefined ? {} : { toolChoice }
  }
  if (toolChoice.type === 'function') {
    refuseUnknown(toolChoice.function.name, 'tool_choice')
    return { toolChoice: { name: toolChoice.function.name } }
  }
  const { mode, tools: allowed } = toolChoice.allowedTools
  const names = allowed.map((tool) => tool.function.name)
  for (const name of names) refuseUnknown(name, 'tool_choice')
  return { toolChoice: mode, tools: known.filter(({ name }) => names.includes(name)) }
}
