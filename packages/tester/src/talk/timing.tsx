import { useEffect, useRef, useState } from 'preact/hooks'
import { duration } from '../parts/format.js'
import { drawTimes, momentsOf } from './picture.js'
import type { Times } from './turn.js'

/** The times of a turn, as a picture and as figures. */
export function Timing({ times }: { times: Times }) {
  const figures = figuresOf(times)
  if (figures.length === 0) return null
  return (
    <figure class="timing">
      <TimingPicture times={times} label={figures.map(({ name, text }) => `${name} ${text}`).join(', ')} />
      <dl class="figures">
        {figures.map(({ name, text }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </figure>
  )
}

function TimingPicture({ times, label }: { times: Times; label: string }) {
  const frame = useRef<HTMLDivElement>(null)
  const width = useWidth(frame)
  const picture = drawTimes(times, width)
  return (
    <div ref={frame}>
      {picture && (
        <svg
          class="time-axis"
          role="img"
          aria-label={`Time axis: ${label}`}
          width={picture.width}
          height={picture.height}
          viewBox={`0 0 ${picture.width} ${picture.height}`}
        >
          {picture.rows.map(({ text, y }) => (
            <text x={0} y={y} key={text}>
              {text}
            </text>
          ))}
          {picture.bars.map(({ kind, x, y, width: long, height }, index) => (
            <rect class={`bar-${kind}`} x={x} y={y} width={long} height={height} rx={4} key={index} />
          ))}
          {picture.marks.map(({ x, textY, text }) => (
            <line x1={x} x2={x} y1={2} y2={textY - 11} key={text} />
          ))}
          {picture.marks.map(({ textX, textY, text }) => (
            <text class="time-mark" x={textX} y={textY} text-anchor="middle" key={text}>
              {text}
            </text>
          ))}
        </svg>
      )}
    </div>
  )
}

function useWidth(frame: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(600)
  useEffect(() => {
    const element = frame.current
    if (!element) return
    const observer = new ResizeObserver(() => setWidth(Math.max(280, element.clientWidth)))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  return width
}

/** Counted from the end of your speech, or from Send. */
function figuresOf(times: Times): { name: string; text: string }[] {
  const { listened, heard, quiet } = times
  const spoken = [
    { name: 'you spoke', at: listened || undefined },
    { name: 'transcript', at: heard },
    ...momentsOf(times),
    { name: 'silence', at: quiet },
  ]
  return spoken.flatMap(({ name, at }) => (at === undefined ? [] : [{ name, text: duration(at) }]))
}
