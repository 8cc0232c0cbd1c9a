import { Resampler } from '@appfactory/sdk/internal'
import { hearingRate } from '../audio/jobs.js'
import { joinBytes, toPcm } from '../audio/samples.js'
import { RequestError } from '../errors.js'
import type { SessionSettings, TurnDetection } from './settings.js'
import { bytesPerSample, resampled, type SoundFormat } from './sound.js'
import { judgeOf, type SpeechJudge } from './speech-judge.js'
import { type Listening, Turn } from './turn.js'
import { TurnDetector } from './voice-activity.js'

/** Of 16-bit samples at `hearingRate`. */
const bytesPerMs = (hearingRate * 2) / 1000
/** Silence that is kept in case the client commits it, in ms. */
const mostSilenceMs = 60_000
/** What is less is nothing: 10 ms. */
const leastBytes = 10 * bytesPerMs
/** The longest turn, in seconds. */
const longestSeconds = 15 * 60

/** Told of what is heard. */
export interface EarsEvents {
  /** Times are in ms of all that was sent. */
  onStarted(itemId: string, atMs: number): void
  onStopped(itemId: string, atMs: number): void
  /** @param isDetected Whether a silence has ended it, and not the client. */
  onCommitted(turn: Turn, isDetected: boolean): void
}

/** The buffer of sound that a client fills. With turn detection, silence ends a turn; without, the client does. */
export class Ears {
  readonly #settings: () => SessionSettings
  readonly #listening: () => Listening
  readonly #events: EarsEvents
  readonly #longestTurn: number
  #turn: Turn | undefined
  /** A sample that is not whole yet. */
  #rest = new Uint8Array()
  #resampler: { format: SoundFormat; value: Resampler } | undefined
  #detection: { settings: TurnDetection; judge: SpeechJudge; detector: TurnDetector } | undefined
  /** What has not been looked at, less than a stretch. */
  #unseen = new Uint8Array()
  /** What came before anybody spoke. */
  #silence: Uint8Array[] = []
  #heardMs = 0
  #isClosed = false

  /** @param mostSeconds How long a turn may be, where that is less than 15 minutes. */
  constructor(
    settings: () => SessionSettings,
    listening: () => Listening,
    events: EarsEvents,
    mostSeconds: number,
  ) {
    this.#longestTurn = Math.min(mostSeconds, longestSeconds)
    this.#settings = settings
    this.#listening = listening
    this.#events = events
  }

  /** Takes samples as the session has them. Resolves when there is room for more. @throws RequestError. */
  async append(bytes: Uint8Array): Promise<void> {
    const { inputFormat, turnDetection } = this.#settings()
    const all = joinBytes([this.#rest, bytes])
    const whole = all.length - (all.length % bytesPerSample(inputFormat))
    this.#rest = all.slice(whole)
    const resampler = this.#resamplerOf(inputFormat)
    for await (const pcm of resampled(all.subarray(0, whole), inputFormat, resampler)) {
      if (this.#isClosed) return
      if (turnDetection) await this.#watch(pcm, turnDetection)
      else this.#push(pcm)
      await this.#turn?.room()
    }
  }

  /** Ends the turn. @throws RequestError where there is no sound. */
  commit(): void {
    const last = this.#resampler ? toPcm(this.#resampler.value.end()) : new Uint8Array()
    this.#resampler = undefined
    // Half a sample is no part of the next turn: it would make noise of that.
    this.#rest = new Uint8Array()
    const sound = [...this.#silence, this.#unseen, last]
    // A resampler holds back a sample or two.
    if (!this.#turn && joinBytes(sound).length < leastBytes)
      throw new RequestError(400, 'There is no sound to commit. Send input_audio_buffer.append first', {
        code: 'input_audio_buffer_commit_empty',
      })
    this.#turn ??= new Turn(this.#listening())
    for (const part of sound) this.#turn.push(part)
    this.#finish(false)
  }

  /** Drops what was not committed. */
  clear(): void {
    this.#turn?.cancel()
    this.#turn = undefined
    this.#resampler = undefined
    this.#rest = new Uint8Array()
    this.#forget()
  }

  /** As `clear`, for good: nothing that is under way begins a turn any more. */
  close(): void {
    this.#isClosed = true
    this.clear()
  }

  #push(pcm: Uint8Array): void {
    if (pcm.length === 0) return
    if (this.#turn && this.#turn.seconds + pcm.length / bytesPerMs / 1000 > this.#longestTurn)
      throw new RequestError(400, `A turn has at most ${this.#longestTurn} seconds. Commit it`, {
        code: 'input_audio_buffer_full',
      })
    this.#turn ??= new Turn(this.#listening())
    // What came while turns were still detected comes first.
    for (const part of [...this.#silence, this.#unseen, pcm]) this.#turn.push(part)
    this.#heardMs += (this.#unseen.length + pcm.length) / bytesPerMs
    this.#forget()
  }

  async #watch(pcm: Uint8Array, settings: TurnDetection): Promise<void> {
    if (this.#detection?.settings !== settings)
      this.#detection = {
        settings,
        judge: judgeOf(this.#listening().directory, settings.threshold),
        detector: new TurnDetector(settings, this.#heardMs),
      }
    const { judge, detector } = this.#detection
    const length = judge.stretchMs * bytesPerMs
    let sound = joinBytes([this.#unseen, pcm])
    for (; sound.length >= length; sound = sound.subarray(length)) {
      const stretch = sound.slice(0, length)
      const change = detector.push(await judge.speaks(stretch), judge.stretchMs)
      this.#keep(stretch, judge.stretchMs)
      if (change?.kind === 'started') this.#begin(change.atMs - settings.prefixPaddingMs)
      if (change?.kind === 'stopped' && this.#turn) {
        this.#events.onStopped(this.#turn.itemId, Math.round(this.#heardMs))
        this.#finish(true)
      } else if (this.#turn && this.#turn.seconds > this.#longestTurn) this.#finish(true)
    }
    this.#unseen = sound.slice()
  }

  #keep(stretch: Uint8Array, lengthMs: number): void {
    this.#heardMs += lengthMs
    if (this.#turn) this.#turn.push(stretch)
    else this.#silence.push(stretch)
    if (this.#silence.length * lengthMs > mostSilenceMs) this.#silence.shift()
  }

  /** Begins a turn with the sound from `fromMs` on. */
  #begin(fromMs: number): void {
    const silence = joinBytes(this.#silence)
    const wanted = Math.round((this.#heardMs - fromMs) / 2) * 2 * bytesPerMs
    const sound = silence.subarray(Math.max(0, silence.length - wanted))
    this.#silence = []
    this.#turn ??= new Turn(this.#listening())
    this.#turn.push(sound)
    const startMs = this.#heardMs - sound.length / bytesPerMs
    this.#events.onStarted(this.#turn.itemId, Math.max(0, Math.round(startMs)))
  }

  #finish(isDetected: boolean): void {
    const turn = this.#turn
    this.#turn = undefined
    this.#forget()
    if (turn) this.#events.onCommitted(turn, isDetected)
  }

  #forget(): void {
    this.#silence = []
    this.#unseen = new Uint8Array()
    this.#detection?.detector.reset()
  }

  #resamplerOf(format: SoundFormat): Resampler {
    if (this.#resampler?.format !== format)
      this.#resampler = { format, value: new Resampler(format.rate, hearingRate) }
    return this.#resampler.value
  }
}
