/** How the files begin that a browser plays, and what they are. */
const beginnings: readonly [RegExp, string, string][] = [
  [/^(RIFF|RIFX|RF64|BW64)....WAVE/s, 'audio/wav', 'wav'],
  [/^OggS/, 'audio/ogg', 'ogg'],
  [/^fLaC/, 'audio/flac', 'flac'],
  [/^.E\xdf\xa3/, 'audio/webm', 'webm'],
  [/^....ftyp/s, 'audio/mp4', 'm4a'],
  [/^(ID3|\xff[\xe2-\xfb])/, 'audio/mpeg', 'mp3'],
]

/** The media type of a file of sound by how it begins; '' for anything else. */
export function typeOf(content: Uint8Array): string {
  return find(content)?.[1] ?? ''
}

/** The ending of its name: wav, mp3, ogg, flac…; undefined for anything that is no sound. */
export function endingOf(content: Uint8Array): string | undefined {
  return find(content)?.[2]
}

function find(content: Uint8Array): (typeof beginnings)[number] | undefined {
  const head = String.fromCharCode(...content.subarray(0, 12))
  return beginnings.find(([beginning]) => beginning.test(head))
}

/** How much of a file is looked at, in bytes. */
const lookedAt = 4096

/** Whether a file holds text: UTF-8 without control characters, which samples of sound have soon. */
export function isPlainlyText(content: Uint8Array): boolean {
  const beginning = content.subarray(0, lookedAt)
  const hasControls = beginning.some((byte) => byte < 9 || (byte > 13 && byte < 32))
  return content.length > 0 && !hasControls && !find(content) && isUtf8(beginning)
}

function isUtf8(content: Uint8Array): boolean {
  try {
    // The end may cut a character in two.
    new TextDecoder('utf-8', { fatal: true }).decode(content, { stream: true })
    return true
  } catch {
    return false
  }
}
