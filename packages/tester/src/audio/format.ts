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
