import { decodeWav, wrapWav } from '../audio.js'
import type { WireArgs } from './target.js'

/** How long a text, an array and a recording are made, to keep a plugin busy. */
const long = { characters: 600, items: 256, durationMs: 10_000 }

type Vary = (value: unknown, key: string) => unknown[]

/** Arguments like these, each with one value changed. A plugin may refuse them. */
export function othersLike(args: WireArgs): WireArgs[] {
  return withOneChanged(args, otherThan)
}

/** Arguments like these, each with one text, array or recording made long. */
export function longerThan(args: WireArgs): WireArgs[] {
  return withOneChanged(args, longer)
}

function withOneChanged(object: WireArgs, vary: Vary): WireArgs[] {
  return Object.entries(object).flatMap(([key, value]) =>
    vary(value, key).map((changed) => ({ ...object, [key]: changed })),
  )
}

function otherThan(value: unknown, key: string): unknown[] {
  if (typeof value === 'string') return key.endsWith('_b64') ? halfOf(value) : [`${value} ${value}`]
  if (typeof value === 'number') return [value + 1, value - 1]
  if (typeof value === 'boolean') return [!value]
  if (Array.isArray(value)) return otherArrays(value, key)
  return isObject(value) ? withOneChanged(value, otherThan) : []
}

function otherArrays([head, ...rest]: unknown[], key: string): unknown[] {
  const heads = head === undefined ? [] : otherThan(head, key)
  return heads.flatMap((other) => [
    [other, ...rest],
    [head, ...rest, other],
  ])
}

function longer(value: unknown, key: string): unknown[] {
  if (typeof value === 'string')
    return key.endsWith('_b64') ? repeatedWav(value) : [repeated([...`${value} `], long.characters).join('')]
  if (Array.isArray(value)) return value.length === 0 ? [] : [repeated(value, long.items)]
  return isObject(value) ? withOneChanged(value, longer) : []
}

function repeated<Item>(items: readonly Item[], atLeast: number): Item[] {
  return Array.from({ length: Math.ceil(atLeast / items.length) }, () => items).flat()
}

function halfOf(base64: string): string[] {
  return changedWav(base64, (data, frameBytes) => {
    const frames = Math.floor(data.length / frameBytes / 2)
    return data.subarray(0, frames * frameBytes)
  })
}

function repeatedWav(base64: string): string[] {
  return changedWav(base64, (data, frameBytes, sampleRate) => {
    const wanted = (frameBytes * sampleRate * long.durationMs) / 1000
    return Buffer.concat(Array.from({ length: Math.ceil(wanted / data.length) }, () => data))
  })
}

/** A WAV file with other samples; undefined for anything else, or without samples. */
function changedWav(
  base64: string,
  change: (data: Uint8Array, frameBytes: number, sampleRate: number) => Uint8Array,
): string[] {
  const wav = decodeWav(Buffer.from(base64, 'base64'))
  if (!wav || wav.data.length === 0) return []
  const data = change(wav.data, (wav.channels * wav.bitsPerSample) / 8, wav.sampleRate)
  return [Buffer.from(wrapWav({ ...wav, data })).toString('base64')]
}

function isObject(value: unknown): value is WireArgs {
  return typeof value === 'object' && value !== null
}
