import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Clip } from '../form/clips.js'
import { bytes as sizeOf } from '../parts/format.js'
import { themeVersion } from '../state/theme.js'
import { decode } from './microphone.js'
import { decodeWav, duration, peaksOf, type Sound } from './wav.js'

/** Sound that can be played and saved, with its waveform. */
export function Player({ clip: { bytes, url, label } }: { clip: Clip }) {
  const sound = useSound(bytes)
  return (
    <figure class="player">
      {sound && <Waveform sound={sound} label={label} />}
      {/* biome-ignore lint/a11y/useMediaCaption: what is said is the text of the call beside it */}
      <audio controls src={url} aria-label={label} />
      <figcaption class="quiet">
        {label}
        {sound && ` · ${duration(sound).toFixed(2)} s · ${sound.sampleRate.toLocaleString('en')} Hz`}
        {` · ${sizeOf(bytes.length)} · `}
        <a href={url} download={label}>
          Save
        </a>
      </figcaption>
    </figure>
  )
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
