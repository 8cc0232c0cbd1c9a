import { HumanMessage, ToolMessage } from '@langchain/core/messages'
import { ChatOpenAI } from '@langchain/openai'
import { describe, expect, it } from 'vitest'
import { serveAll } from '../visitor.js'

const served = serveAll(['tool_llm'])

describe.each([
  ['chat', false],
  ['responses', true],
])('LangChain over %s', (_name, useResponsesApi) => {
  const model = (): ChatOpenAI =>
    new ChatOpenAI({
      model: 'tool_llm',
      useResponsesApi,
      apiKey: 'none',
      maxRetries: 0,
      configuration: { baseURL: served.gateway.url },
    })

  it('answers, with its usage', async () => {
    const answer = await model().invoke('two words')
    expect(answer.text).toBe('two words')
    expect(answer).toMatchObject({ usage_metadata: { total_tokens: 5 } })
  })

  it('streams', async () => {
    const texts: string[] = []
    for await (const { text } of await model().stream('two words')) texts.push(text)
    expect(texts.filter((text) => text !== '')).toEqual(['two ', 'words'])
  })

  it('calls tools, and goes on with their results', async () => {
    const tools = ['one', 'two'].map((name) => ({
      type: 'function',
      function: { name, parameters: { type: 'object', properties: {} } },
    }))
    const withTools = model().bindTools(tools)
    const question = new HumanMessage('go')
    const asked = await withTools.invoke([question])
    expect(asked.tool_calls).toMatchObject([{ name: 'one', args: { city: 'City 0' } }, { name: 'two' }])
    const results = (asked.tool_calls ?? []).map(
      ({ id = '', name }) => new ToolMessage({ tool_call_id: id, content: `${name} done` }),
    )
    const { text } = await withTools.invoke([question, asked, ...results])
    expect(text).toBe('call_0=one done; call_1=two done')
  })
})
