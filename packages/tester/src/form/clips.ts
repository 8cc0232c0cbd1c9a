import { signal } from '@preact/signals'
import { decodeWav } from '../audio/wav.js'

/** Bytes that a call may be given: a file, a recording, or what a plugin has said. */
export interface Clip {
  /** What stands for it in JSON: `@clip-1`. */
  id: string
  label: string
  bytes: Uint8Array<ArrayBuffer>
  base64: string
  url: string
}

export const clips = signal<readonly Clip[]>([])
/** The last speech that a plugin has made. */
export const lastSpeech = signal<Clip | undefined>(undefined)

const keptClips = 12
let count = 0

export function addClip(label: string, content: Uint8Array<ArrayBuffer>): Clip {
  count += 1
  const type = decodeWav(content) ? 'audio/wav' : ''
  const url = URL.createObjectURL(new Blob([content], { type }))
  const clip = { id: `@clip-${count}`, label, bytes: content, base64: toBase64(content), url }
  for (const old of clips.value.slice(0, -keptClips)) URL.revokeObjectURL(old.url)
  clips.value = [...clips.value.slice(-keptClips), clip]
  return clip
}

export function clipOf(value: unknown): Clip | undefined {
  return clips.value.find(({ id }) => id === value)
}

/** Puts the bytes in where a clip stands for them. */
export function withBytes(value: unknown): unknown {
  if (typeof value === 'string') return clipOf(value)?.base64 ?? value
  if (Array.isArray(value)) return value.map(withBytes)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withBytes(each)]))
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
