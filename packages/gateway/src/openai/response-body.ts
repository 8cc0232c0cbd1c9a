import type { OpenAI } from 'openai'
import { now } from './generation.js'
import type { OutputItem } from './response-output.js'
import type { ResponseRequest } from './responses.table.js'

type Answer = OpenAI.Responses.Response

/** Members that OpenAI’s types leave out or never have null, and that Open Responses wants to be there. */
interface More {
  service_tier: string
  user: string | null
  usage: OpenAI.Responses.ResponseUsage | null
  max_tool_calls: number | null
  store: boolean
  frequency_penalty: number
  presence_penalty: number
  prompt_cache_key: string | null
  safety_identifier: string | null
}

/** A response as it is sent: all members are always there. `output_text` is made by clients. */
export type ResponseBody = Omit<Answer, 'output_text' | 'output' | keyof More> &
  More & { output: readonly OutputItem[] }

/** What plugins get where a client names none: some clients read no null here. */
const contractTemperature = 0.7

/** A response that has just begun; what was asked for stands in it. */
export function bodyOf(id: string, request: ResponseRequest, isStored: boolean): ResponseBody {
  return {
    id,
    object: 'response',
    created_at: now(),
    completed_at: null,
    status: 'in_progress',
    error: null,
    incomplete_details: null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.maxOutputTokens ?? null,
    max_tool_calls: request.maxToolCalls ?? null,
    model: request.model,
    output: [],
    parallel_tool_calls: request.parallelToolCalls ?? true,
    previous_response_id: request.previousResponseId ?? null,
    reasoning: { effort: request.reasoning?.effort ?? null, summary: summaryOf(request) ?? null },
    store: isStored,
    temperature: request.temperature ?? contractTemperature,
    text: textConfigOf(request),
    tool_choice: toolChoiceOf(request),
    tools: toolsOf(request),
    top_logprobs: 0,
    top_p: request.topP ?? 1,
    truncation: request.truncation ?? 'disabled',
    usage: null,
    user: request.user ?? null,
    metadata: request.metadata ?? {},
    background: false,
    service_tier: request.serviceTier ?? 'default',
    frequency_penalty: request.frequencyPenalty ?? 0,
    presence_penalty: request.presencePenalty ?? 0,
    prompt_cache_key: request.promptCacheKey ?? null,
    safety_identifier: request.safetyIdentifier ?? null,
  }
}

/** Which kind of summary of its thoughts a client has asked for; undefined: none. */
export function summaryOf({ reasoning }: ResponseRequest): 'auto' | 'concise' | 'detailed' | undefined {
  return reasoning?.summary ?? reasoning?.generateSummary
}

function textConfigOf({ text }: ResponseRequest): OpenAI.Responses.ResponseTextConfig {
  const { type = 'text', name = 'response', description, schema = {}, strict = null } = text?.format ?? {}
  const verbosity = text?.verbosity ?? 'medium'
  if (type !== 'json_schema') return { format: { type }, verbosity }
  return {
    format: { type, name, schema, strict, ...(description === undefined ? {} : { description }) },
    verbosity,
  }
}

function toolChoiceOf({ toolChoice = 'auto' }: ResponseRequest): Answer['tool_choice'] {
  if (typeof toolChoice === 'string') return toolChoice
  if (toolChoice.type === 'function') return { type: 'function', name: toolChoice.name }
  const { mode, tools } = toolChoice
  return { type: 'allowed_tools', mode, tools: tools.map(({ name }) => ({ type: 'function', name })) }
}

function toolsOf({ tools = [] }: ResponseRequest): Answer['tools'] {
  return tools.map(({ name = '', description = null, parameters = null, strict = null }) => ({
    type: 'function',
    name,
    description,
    parameters,
    strict,
  }))
}
