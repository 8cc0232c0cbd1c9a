import { call } from '../api/rpc.js'
import type { Method, Plugin } from '../api/types.js'
import type { Choice, ChoicesOf } from '../form/choices.js'
import { starts } from '../state/plugins.js'
import { isImplemented } from './chosen.js'

/** Which methods know the values of a field, the best first, and by which member of what they list. */
const sources: Record<string, readonly (readonly [method: string, member: string])[]> = {
  voice_id: [['get_voices', 'id']],
  voice: [['get_voices', 'id']],
  language: [
    ['get_languages', 'code'],
    ['get_voices', 'language'],
  ],
  model: [['get_models', 'id']],
}

const answers = new Map<string, Promise<unknown>>()

/** What a loaded plugin offers for fields such as voice, language and model. It is asked once, when somebody needs it. */
export function choicesOf(plugin: Plugin, methods: readonly Method[]): ChoicesOf {
  return (field) => {
    const source = (Object.hasOwn(sources, field) ? sources[field] : undefined)?.find(([name]) =>
      methods.some((method) => method.name === name && isImplemented(plugin, method)),
    )
    if (!source) return undefined
    const [method, member] = source
    return async () => choicesIn(await ask(plugin, method), member)
  }
}

function ask({ name, path }: Plugin, method: string): Promise<unknown> {
  const key = `${path} ${method} ${starts.value}`
  const known = answers.get(key)
  if (known) return known
  const asked = call<unknown>('plugin/call', { plugin: name, method, args: {} })
  answers.set(key, asked)
  asked.catch(() => answers.delete(key))
  return asked
}

function choicesIn(list: unknown, member: string): readonly Choice[] {
  if (!Array.isArray(list)) return []
  const choices = list.flatMap((item) => choiceOf(item, member) ?? [])
  return [...new Map(choices.map((choice) => [choice.value, choice])).values()]
}

function choiceOf(item: unknown, member: string): Choice | undefined {
  if (typeof item === 'string') return { value: item, label: undefined }
  if (typeof item !== 'object' || item === null) return undefined
  const { [member]: value = Reflect.get(item, 'id'), name } = item as Record<string, unknown>
  if (typeof value !== 'string') return undefined
  // A voice's name says nothing of its language.
  const label = typeof name === 'string' && name !== value && member !== 'language' ? name : undefined
  return { value, label }
}
