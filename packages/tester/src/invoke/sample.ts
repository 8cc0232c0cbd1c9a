import type { JsonObject, Method } from '../api/types.js'
import { encodeWav } from '../audio/wav.js'
import type { ChoicesOf } from '../form/choices.js'
import { addClip, lastSpeech } from '../form/clips.js'
import { kindOf, requiredValues, resolve } from '../form/schema.js'

/** What is said where something has to be. */
const sampleText = 'Hello.'

/** Arguments that a method should take: what it needs, filled in. */
export async function sampleArguments({ args: schema }: Method, choices: ChoicesOf): Promise<JsonObject> {
  const values = Object.entries(requiredValues(schema, schema))
  const filled = await Promise.all(
    values.map(async ([name, value]) => {
      const isBytes = kindOf(resolve(schema.properties?.[name] ?? {}, schema)) === 'bytes'
      return [name, isBytes ? sampleSound() : await sampleValue(name, value, choices)] as const
    }),
  )
  return Object.fromEntries(filled)
}

async function sampleValue(name: string, value: unknown, choices: ChoicesOf): Promise<unknown> {
  if (value === '') return (await firstChoice(name, choices)) ?? sampleText
  if (Array.isArray(value)) return Promise.all(value.map((item) => sampleValue(name, item, choices)))
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).map(
    async ([key, each]) => [key, await sampleValue(key, each, choices)] as const,
  )
  return Object.fromEntries(await Promise.all(members))
}

async function firstChoice(name: string, choices: ChoicesOf): Promise<string | undefined> {
  const [first] = (await choices(name)?.().catch(() => [])) ?? []
  return first?.value
}

/** The last speech, or a second of silence. */
function sampleSound(): string {
  const silence = { samples: new Float32Array(16_000), sampleRate: 16_000 }
  return (lastSpeech.value ?? addClip('silence.wav', encodeWav(silence))).id
}
