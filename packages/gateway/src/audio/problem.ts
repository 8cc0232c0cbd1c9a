/** Why sound can’t be read or made. */
export type ProblemKind = 'invalid_audio' | 'unsupported_format' | 'audio_too_long' | 'too_busy'

/** Something about sound that is not the server’s fault. It crosses the border of the thread as data. */
export class AudioProblem extends Error {
  override readonly name = 'AudioProblem'
  readonly kind: ProblemKind

  constructor(kind: ProblemKind, message: string) {
    super(message)
    this.kind = kind
  }
}

/** Sound that is longer than it may be, in seconds. */
export function tooLong(mostSeconds: number): AudioProblem {
  const time = mostSeconds >= 3600 ? `${mostSeconds / 3600} hours` : `${mostSeconds} seconds`
  return new AudioProblem('audio_too_long', `Sound may be ${time} long. Send it in parts`)
}

/**
 * Loads a codec, each of which is an optional package.
 *
 * @param packages Their names, as npm installs them.
 */
export async function loadCodec<Codec>(
  what: string,
  packages: string,
  load: () => Promise<Codec>,
): Promise<Codec> {
  try {
    return await load()
  } catch (error) {
    const isMissing = error instanceof Error && Reflect.get(error, 'code') === 'ERR_MODULE_NOT_FOUND'
    if (!isMissing) throw error
    throw new AudioProblem(
      'unsupported_format',
      `${what} needs what is not installed where the gateway runs: npm install ${packages}`,
    )
  }
}
