import { useEffect, useMemo, useRef } from 'preact/hooks'
import { bytes as sizeOf } from '../parts/format.js'
import { themeVersion } from '../state/theme.js'
import { decodeWav, duration, peaksOf, type Sound } from './wav.js'

/** Sound that can be played, with its waveform. */
export function Player({ content, url, label }: { content: Uint8Array; url: string; label: string }) {
  const sound = useMemo(() => decodeWav(content), [content])
  return (
    <figure class="player">
      {sound && <Waveform sound={sound} label={label} />}
      {/* biome-ignore lint/a11y/useMediaCaption: what is said is the text of the call beside it */}
      <audio controls src={url} aria-label={label} />
      <figcaption class="quiet">
        {label}
        {sound && ` · ${duration(sound).toFixed(2)} s · ${sound.sampleRate.toLocaleString('en')} Hz`}
        {` · ${sizeOf(content.length)}`}
      </figcaption>
    </figure>
  )
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
