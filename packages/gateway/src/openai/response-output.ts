import type { TextChunk, ToolCall } from '@appfactory/sdk'
import type { OpenAI } from 'openai'
import { uniqueId } from './generation.js'
import { WholeCharacters } from './whole-characters.js'

type Events = OpenAI.Responses.ResponseStreamEvent
type Unnumbered<Event> = Event extends { sequence_number: number } ? Omit<Event, 'sequence_number'> : never

/** An event of a stream, before it has its number. */
export type ResponseEvent = Unnumbered<Events>

/** What an answer is made of here. */
export type OutputItem =
  | OpenAI.Responses.ResponseOutputMessage
  | OpenAI.Responses.ResponseFunctionToolCall
  | OpenAI.Responses.ResponseReasoningItem

/** How an answer, or an item of it, has ended. */
export type EndStatus = 'completed' | 'incomplete'

/** An item that is being written. */
interface Writing {
  kind: 'text' | 'reasoning'
  write(text: string): void
  end(status: EndStatus): void
}

type Say = (event: ResponseEvent) => void

/** Makes items out of what a plugin writes, and tells each step. Calls and changes between text and thoughts begin new items. */
export class Output {
  readonly items: OutputItem[] = []
  readonly #say: Say
  readonly #parallel: boolean
  readonly #summarises: boolean
  #calls = 0
  #writing: Writing | undefined
  readonly #characters = new WholeCharacters()

  /** @param summarises Whether the client has asked for summaries of thoughts: it looks for them there. */
  constructor(say: Say, parallel: boolean, summarises: boolean) {
    this.#say = say
    this.#parallel = parallel
    this.#summarises = summarises
  }

  add({ reasoning, text, toolCalls = [] }: TextChunk): void {
    if (typeof reasoning === 'string' && reasoning !== '') this.#write('reasoning', reasoning)
    if (text !== '') this.#write('text', text)
    for (const call of toolCalls) if (this.#parallel || this.#calls === 0) this.#call(call)
  }

  /** Ends the last item. An answer of nothing is an empty text. */
  end(status: EndStatus): void {
    if (this.items.length === 0) this.#write('text', '')
    this.#endItem(status)
  }

  #write(kind: Writing['kind'], text: string): void {
    if (this.#writing?.kind !== kind) {
      this.#endItem('completed')
      this.#writing = kind === 'text' ? this.#beginText() : this.#beginThoughts()
    }
    const whole = this.#characters.add(text)
    if (whole !== '') this.#writing.write(whole)
  }

  #endItem(status: EndStatus): void {
    const rest = this.#characters.rest()
    if (rest !== '') this.#writing?.write(rest)
    this.#writing?.end(status)
    this.#writing = undefined
  }

  /** @returns Where it stands. */
  #begin(item: OutputItem): number {
    const index = this.items.push(item) - 1
    this.#say({ type: 'response.output_item.added', output_index: index, item })
    return index
  }

  #finish(item: OutputItem, index: number, status: EndStatus): void {
    item.status = status
    this.#say({ type: 'response.output_item.done', output_index: index, item })
  }

  #beginText(): Writing {
    const say = this.#say
    const part: OpenAI.Responses.ResponseOutputText = {
      type: 'output_text',
      text: '',
      annotations: [],
      logprobs: [],
    }
    const item: OpenAI.Responses.ResponseOutputMessage = {
      id: uniqueId('msg_'),
      type: 'message',
      role: 'assistant',
      status: 'in_progress',
      content: [],
    }
    const index = this.#begin(item)
    const place = { item_id: item.id, output_index: index, content_index: 0 }
    say({ type: 'response.content_part.added', ...place, part })
    item.content = [part]
    return {
      kind: 'text',
      write(delta) {
        part.text += delta
        say({ type: 'response.output_text.delta', ...place, delta, logprobs: [] })
      },
      end: (status) => {
        say({ type: 'response.output_text.done', ...place, text: part.text, logprobs: [] })
        say({ type: 'response.content_part.done', ...place, part })
        this.#finish(item, index, status)
      },
    }
  }

  #beginThoughts(): Writing {
    const item: OpenAI.Responses.ResponseReasoningItem = {
      id: uniqueId('rs_'),
      type: 'reasoning',
      status: 'in_progress',
      summary: [],
      content: [],
    }
    const index = this.#begin(item)
    const steps = this.#summarises
      ? summarySteps(item, index, this.#say)
      : thoughtSteps(item, index, this.#say)
    return {
      kind: 'reasoning',
      write: steps.write,
      end: (status) => {
        steps.end()
        this.#finish(item, index, status)
      },
    }
  }

  /** A call comes whole. */
  #call({ id, name, arguments: given }: ToolCall): void {
    this.#endItem('completed')
    this.#calls++
    const text = JSON.stringify(given)
    const item: OpenAI.Responses.ResponseFunctionToolCall & { id: string } = {
      id: uniqueId('fc_'),
      type: 'function_call',
      status: 'in_progress',
      call_id: id,
      name,
      arguments: '',
    }
    const index = this.#begin(item)
    const place = { item_id: item.id, output_index: index }
    this.#say({ type: 'response.function_call_arguments.delta', ...place, delta: text })
    item.arguments = text
    this.#say({ type: 'response.function_call_arguments.done', ...place, name, arguments: text })
    this.#finish(item, index, 'completed')
  }
}

type Steps = Pick<Writing, 'write'> & { end(): void }

function thoughtSteps(item: OpenAI.Responses.ResponseReasoningItem, index: number, say: Say): Steps {
  const part: OpenAI.Responses.ResponseReasoningItem.Content = { type: 'reasoning_text', text: '' }
  const place = { item_id: item.id, output_index: index, content_index: 0 }
  say({ type: 'response.content_part.added', ...place, part })
  item.content = [part]
  return {
    write(delta) {
      part.text += delta
      say({ type: 'response.reasoning_text.delta', ...place, delta })
    },
    end() {
      say({ type: 'response.reasoning_text.done', ...place, text: part.text })
      say({ type: 'response.content_part.done', ...place, part })
    },
  }
}

function summarySteps(item: OpenAI.Responses.ResponseReasoningItem, index: number, say: Say): Steps {
  const part: OpenAI.Responses.ResponseReasoningItem.Summary = { type: 'summary_text', text: '' }
  const place = { item_id: item.id, output_index: index, summary_index: 0 }
  say({ type: 'response.reasoning_summary_part.added', ...place, part })
  item.summary = [part]
  return {
    write(delta) {
      part.text += delta
      say({ type: 'response.reasoning_summary_text.delta', ...place, delta })
    },
    end() {
      say({ type: 'response.reasoning_summary_text.done', ...place, text: part.text })
      say({ type: 'response.reasoning_summary_part.done', ...place, part })
    },
  }
}
