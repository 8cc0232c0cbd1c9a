import { signal } from '@preact/signals'
import type { JsonObject, Schema } from '../api/types.js'
import { typeOf } from '../audio/format.js'
import { kindOf, resolve, variantOf, variantsOf } from './schema.js'

/** Bytes that a call may be given: a file, a recording, or what a plugin has said. */
export interface Clip {
  /** What stands for it in JSON: `@clip-1`. */
  id: string
  /** A name for its file; no two clips have the same one. */
  label: string
  bytes: Uint8Array<ArrayBuffer>
  base64: string
  url: string
}

export const clips = signal<readonly Clip[]>([])
/** The last speech that a plugin has made. */
export const lastSpeech = signal<Clip | undefined>(undefined)

/** What may name clips: forms, the history. Only a clip that none of them names may go. */
export const clipHolders: (() => unknown)[] = [() => lastSpeech.value?.id]

/** Clips that are kept although nothing names them. */
const keptClips = 12
let count = 0

/** A clip as it is kept over a reload of the page. */
interface SavedClip {
  id: string
  label: string
  base64: string
}

/** The clips that `named` names, so many that their JSON fits. */
export function clipsToSave(named: unknown, room: number): SavedClip[] {
  const ids = idsIn(named)
  let left = room
  return clips.value.flatMap(({ id, label, base64 }) => {
    left -= ids.has(id) ? base64.length + label.length + 100 : 0
    return ids.has(id) && left >= 0 ? [{ id, label, base64 }] : []
  })
}

export function restoreClips(saved: readonly SavedClip[]): void {
  for (const { id, label, base64 } of saved) {
    count = Math.max(count, Number(id.replace('@clip-', '')))
    clips.value = [...clips.value, clipFrom(id, label, fromBase64(base64))]
  }
}

export function addClip(label: string, content: Uint8Array<ArrayBuffer>): Clip {
  count += 1
  const clip = clipFrom(`@clip-${count}`, uniqueLabel(label), content)
  clips.value = [...withoutForgotten(clips.value), clip]
  return clip
}

function clipFrom(id: string, label: string, content: Uint8Array<ArrayBuffer>): Clip {
  const url = URL.createObjectURL(new Blob([content], { type: typeOf(content) }))
  return { id, label, bytes: content, base64: toBase64(content), url }
}

function idsIn(value: unknown): ReadonlySet<string> {
  return new Set(JSON.stringify(value).match(/@clip-\d+/g))
}

export function clipOf(value: unknown): Clip | undefined {
  return clips.value.find(({ id }) => id === value)
}

/** Puts bytes in where a clip stands for them. A text that only looks like a clip's name stays as it is. */
export function withBytes(value: JsonObject, schema: Schema): JsonObject {
  return mapClips(value, schema, ({ base64 }) => base64)
}

/** Replaces the clips in arguments, where the schema says that there are bytes. */
export function mapClips(value: JsonObject, schema: Schema, replace: (clip: Clip) => unknown): JsonObject {
  return mapProperties(value, schema, schema, replace)
}

/** The clips in arguments. */
export function clipsIn(value: JsonObject, schema: Schema): Clip[] {
  const found: Clip[] = []
  mapClips(value, schema, (clip) => found.push(clip))
  return found
}

function mapProperties(
  value: object,
  { properties = {} }: Schema,
  root: Schema,
  replace: (clip: Clip) => unknown,
): JsonObject {
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      name,
      mapValue(each, properties[name] ?? {}, root, replace),
    ]),
  )
}

function mapValue(value: unknown, schema: Schema, root: Schema, replace: (clip: Clip) => unknown): unknown {
  const resolved = resolve(schema, root)
  const kind = kindOf(resolved)
  if (kind === 'bytes') {
    const clip = clipOf(value)
    return clip ? replace(clip) : value
  }
  if (kind === 'list' && Array.isArray(value))
    return value.map((item) => mapValue(item, resolved.items ?? {}, root, replace))
  if (kind === 'variants') {
    const variants = variantsOf(resolved)
    const variant = variants[variantOf(value, variants, root)]
    return variant ? mapValue(value, variant, root, replace) : value
  }
  if (kind === 'object' && typeof value === 'object' && value !== null)
    return mapProperties(value, resolved, root, replace)
  return value
}

function withoutForgotten(all: readonly Clip[]): Clip[] {
  const named = idsIn(clipHolders.map((holder) => holder()))
  const surplus = new Set(
    all
      .filter(({ id }) => !named.has(id))
      .slice(0, -keptClips)
      .map(({ id }) => id),
  )
  for (const { id, url } of all) if (surplus.has(id)) URL.revokeObjectURL(url)
  return all.filter(({ id }) => !surplus.has(id))
}

/** `recording.wav`, then `recording-2.wav`. */
function uniqueLabel(label: string): string {
  const [, name = label, ending = ''] = /^(.+?)(\.\w+)?$/.exec(label) ?? []
  const isTaken = (wanted: string): boolean => clips.value.some((clip) => clip.label === wanted)
  let unique = label
  for (let number = 2; isTaken(unique); number += 1) unique = `${name}-${number}${ending}`
  return unique
}

export function toBase64(content: Uint8Array): string {
  let binary = ''
  // More arguments than this overflow the stack.
  for (let at = 0; at < content.length; at += 0x8000)
    binary += String.fromCharCode(...content.subarray(at, at + 0x8000))
  return btoa(binary)
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text)
  const content = new Uint8Array(binary.length)
  for (let at = 0; at < binary.length; at += 1) content[at] = binary.charCodeAt(at)
  return content
}
