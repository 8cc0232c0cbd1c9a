import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Clip } from '../form/clips.js'
import { count, bytes as sizeOf } from '../parts/format.js'
import { themeVersion } from '../state/theme.js'
import { decode } from './microphone.js'
import { decodeWav, duration, peaksOf, type Sound } from './wav.js'

/** Sound that can be played and saved, with its waveform. */
export function Player({ clip: { bytes, url, label } }: { clip: Clip }) {
  const sound = useSound(bytes)
  const audio = useRef<HTMLAudioElement>(null)
  const [position, setPosition] = usePosition(audio)
  return (
    <figure class="player">
      {sound && (
        <div class="waveform-frame">
          <Waveform sound={sound} label={label} />
          <input
            type="range"
            class="seek"
            aria-label={`Position in ${label}`}
            min={0}
            max={duration(sound)}
            step="any"
            value={position}
            onInput={({ currentTarget }) => setPosition(currentTarget.valueAsNumber)}
          />
        </div>
      )}
      {/* biome-ignore lint/a11y/useMediaCaption: what is said is the text of the call beside it */}
      <audio ref={audio} controls src={url} aria-label={label} />
      <figcaption class="quiet">
        {label}
        {sound && ` · ${duration(sound).toFixed(2)} s · ${count(sound.sampleRate)} Hz`}
        {` · ${sizeOf(bytes.length)} · `}
        <a href={url} download={label}>
          Save
        </a>
      </figcaption>
    </figure>
  )
}

/** Where the playback is, in seconds, and how to go elsewhere. */
function usePosition(audio: { current: HTMLAudioElement | null }): [number, (seconds: number) => void] {
  const [position, setPosition] = useState(0)
  useEffect(() => {
    const element = audio.current
    if (!element) return
    let frame = 0
    const look = (): void => {
      setPosition(element.currentTime)
      // Events come four times a second, which would look like a jump each time.
      if (!element.paused) frame = requestAnimationFrame(look)
    }
    const events = ['play', 'pause', 'seeked', 'ended']
    for (const event of events) element.addEventListener(event, look)
    return () => {
      cancelAnimationFrame(frame)
      for (const event of events) element.removeEventListener(event, look)
    }
  }, [])
  const seek = (seconds: number): void => {
    setPosition(seconds)
    if (audio.current) audio.current.currentTime = seconds
  }
  return [position, seek]
}

/** The samples of a file of sound; of what is no WAV file, the browser knows them. */
function useSound(content: Uint8Array<ArrayBuffer>): Sound | undefined {
  const read = useMemo(() => decodeWav(content), [content])
  const [decoded, setDecoded] = useState<Sound>()
  useEffect(() => {
    let isGone = false
    setDecoded(undefined)
    if (!read)
      decode(content.buffer).then(
        (sound) => isGone || setDecoded(sound),
        () => {},
      )
    return () => {
      isGone = true
    }
  }, [content, read])
  return read ?? decoded
}

function Waveform({ sound, label }: { sound: Sound; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const version = themeVersion.value
  useEffect(() => {
    const element = canvas.current
    if (!element) return
    const draw = (): void => drawWaveform(element, sound)
    draw()
    const observer = new ResizeObserver(draw)
    observer.observe(element)
    return () => observer.disconnect()
  }, [sound, version])
  return <canvas class="waveform" ref={canvas} role="img" aria-label={`Waveform of ${label}`} />
}

function drawWaveform(canvas: HTMLCanvasElement, sound: Sound): void {
  const ratio = window.devicePixelRatio
  const width = Math.round(canvas.clientWidth * ratio)
  const height = Math.round(canvas.clientHeight * ratio)
  if (width === 0 || height === 0) return
  canvas.width = width
  canvas.height = height
  const context = canvas.getContext('2d')
  if (!context) return
  context.fillStyle = getComputedStyle(canvas).color
  const step = 3 * ratio
  const bars = Math.max(1, Math.floor(width / step))
  peaksOf(sound, bars).forEach((peak, bar) => {
    const tall = Math.max(ratio, peak * height)
    context.fillRect(bar * step, (height - tall) / 2, 2 * ratio, tall)
  })
}
