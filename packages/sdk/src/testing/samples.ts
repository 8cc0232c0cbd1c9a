import { issuesText } from '../codec/issues.js'
import { MethodCodecs } from '../codec/method-codecs.js'
import type { ContractDescriptor, MethodDescriptor } from '../descriptor.js'
import { sampleAudio } from './sample-audio.js'
import { sampleOf } from './schema-sample.js'
import type { WireArgs } from './target.js'
import { longerThan, othersLike } from './variations.js'

/** The author's sample arguments: all arguments of a call as one object, with names of TypeScript or of the wire. */
export type Samples = Readonly<Record<string, WireArgs | readonly WireArgs[]>>

/** Arguments of the wire to call one method with. */
export interface MethodSamples {
  /** Ordinary ones. */
  readonly first: WireArgs
  /** Others, to be tried in this order until one gets another answer. The plugin may refuse all but the last. */
  readonly others: readonly WireArgs[]
  /** Those that keep the plugin busy for long, to be tried in this order. The plugin may refuse all but the last. */
  readonly longs: readonly WireArgs[]
  /** Whether the ordinary ones were guessed from the schema. */
  readonly guessed: boolean
}

/** Most arguments that are derived from others, and tried. */
const mostDerived = 8

const sentence = 'This one is a little longer, and it is spoken at the same time as the other. '
const base64 = (durationMs: number): string => Buffer.from(sampleAudio({ durationMs })).toString('base64')
const generation = { max_tokens: 16, temperature: 0, seed: 7 }
const ask = (content: string): WireArgs => ({ messages: [{ role: 'user', content }] })

const speech = (): [WireArgs, WireArgs, WireArgs] => [
  { text: 'Hello there.' },
  { text: sentence.trim() },
  { text: sentence.repeat(8).trim() },
]
// Without punctuation: how long a text is must not depend on how an engine splits it.
const line = 'one more line about the fox and the dog that sleep beside the river '
const listening = (): [WireArgs, WireArgs, WireArgs] => [
  { audio_b64: base64(1000) },
  { audio_b64: base64(500) },
  { audio_b64: base64(10_000) },
]

/** For the contracts that ship: ordinary, other and long arguments. A list has none. */
const shippedSamples: Record<string, Record<string, () => [WireArgs, WireArgs, WireArgs]>> = {
  tts: { synthesize: speech, synthesize_stream: speech },
  stt: { transcribe: listening, transcribe_stream: listening },
  llm: {
    complete: () => [
      { prompt: 'Once upon a time', ...generation },
      { prompt: 'The weather today is', ...generation },
      { prompt: 'Once upon a time', ...generation, max_tokens: 512 },
    ],
    stream_complete: () => shippedOf('llm', 'complete'),
    chat: () => [
      { ...ask('Hello'), ...generation },
      { ...ask('How are you today?'), ...generation },
      { ...ask('Tell me a long story.'), ...generation, max_tokens: 512 },
    ],
    stream_chat: () => shippedOf('llm', 'chat'),
  },
  embedding: {
    embed: () => [
      { texts: ['A fox sleeps.', 'The weather today is fine.'] },
      { texts: ['How are you today?'] },
      { texts: Array.from({ length: 64 }, () => line.repeat(4).trim()) },
    ],
  },
}

function shippedOf(contract: string, method: string): [WireArgs, WireArgs, WireArgs] {
  return shippedSamples[contract]?.[method]?.() ?? [{}, {}, {}]
}

/**
 * Arguments for each method of a contract: the author's, otherwise known ones, otherwise generated from its schema.
 *
 * @throws TypeError where an author's sample is for no method, or does not fit.
 */
export class SampleSource {
  readonly #contract: ContractDescriptor
  readonly #given: ReadonlyMap<string, WireArgs[]>
  readonly #made = new Map<string, MethodSamples>()

  constructor(contract: ContractDescriptor, samples: Samples = {}) {
    this.#contract = contract
    this.#given = new Map(Object.entries(samples).map(([name, args]) => this.#read(name, args)))
  }

  of(method: MethodDescriptor): MethodSamples {
    const known = this.#made.get(method.wire) ?? this.#make(method)
    this.#made.set(method.wire, known)
    return known
  }

  #make(method: MethodDescriptor): MethodSamples {
    const given = this.#given.get(method.wire) ?? []
    const shipped = shippedSamples[this.#contract.name]?.[method.wire]?.()
    if (given[0]) return { ...completed(method, given, shipped), guessed: false }
    if (shipped) return { first: shipped[0], others: [shipped[1]], longs: [shipped[2]], guessed: false }
    const [one, other] = [0, 1].map((variant) => sampleOf(method.args, variant) as WireArgs)
    const guessed = Object.keys(method.args['properties'] ?? {}).length > 0
    return { ...completed(method, [one ?? {}], [{}, other ?? {}]), guessed }
  }

  #read(name: string, args: WireArgs | readonly WireArgs[]): [string, WireArgs[]] {
    const method = this.#contract.methods.find((each) => each.name === name || each.wire === name)
    if (!method) {
      const known = this.#contract.methods.map((each) => each.name).join(', ')
      throw new TypeError(
        `samples: the contract "${this.#contract.name}" has no method ${name}; it has ${known}`,
      )
    }
    const codecs = new MethodCodecs(method)
    const list: readonly WireArgs[] = Array.isArray(args) ? args : [args]
    return [method.wire, list.map((each) => toWire(each, codecs))]
  }
}

/** Fills in missing samples: `known` arguments instead of the author's, or ones derived from them. */
function completed(
  method: MethodDescriptor,
  [first = {}, second, long]: readonly WireArgs[],
  known: readonly WireArgs[] = [],
): Pick<MethodSamples, 'first' | 'others' | 'longs'> {
  const codecs = new MethodCodecs(method)
  const fitting = (list: readonly WireArgs[]): WireArgs[] =>
    list.filter((args) => codecs.decodeArgs(args).issues.length === 0).slice(0, mostDerived)
  const [, knownSecond, knownLong] = known.map((args) => ({ ...first, ...args }))
  const others = [...(knownSecond ? [knownSecond] : []), ...othersLike(first)]
  const longs = [...(knownLong ? [knownLong] : []), ...longerThan(second ?? first)]
  return {
    first,
    others: second ? [second] : [...fitting(others), first],
    longs: long ? [long] : [...fitting(longs), second ?? first],
  }
}

function toWire(args: WireArgs, codecs: MethodCodecs): WireArgs {
  if (codecs.decodeArgs(args).issues.length === 0) return args
  const { value, issues } = codecs.encodeArgs(args)
  if (issues.length > 0) throw new TypeError(`samples: ${codecs.method.name}: ${issuesText(issues)}`)
  // As plain JSON, with bytes as base64: every target accepts that.
  return JSON.parse(JSON.stringify(value)) as WireArgs
}
