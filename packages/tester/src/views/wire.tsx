import { useEffect, useMemo, useState } from 'preact/hooks'
import type { LogLine, Plugin } from '../api/types.js'
import { count, counted } from '../parts/format.js'
import { Lines, OpenLine } from '../parts/lines.js'
import { saveText } from '../parts/save.js'
import {
  clearWire,
  droppedMessages,
  isWatching,
  shownMessage,
  stopWatching,
  watch,
  watched,
  wireLines,
} from '../state/wire.js'

/** Every message between the host and one plugin, as it is on the wire. */
export function WireView({ plugin: { name } }: { plugin: Plugin }) {
  const [text, setText] = useState('')
  const [showsRoutine, setShowsRoutine] = useState(false)
  useEffect(() => {
    if (watched.value !== name) watch(name)
  }, [name])
  const all = watched.value === name ? wireLines.value : []
  const open = watched.value === name ? shownMessage.value : undefined
  const wanted = text.toLowerCase()
  const lines = useMemo(
    () =>
      all.filter(
        ({ message, isRoutine }) =>
          (showsRoutine || !isRoutine) && (wanted === '' || message.toLowerCase().includes(wanted)),
      ),
    [all, wanted, showsRoutine],
  )
  return (
    <section class="card log" aria-label="Wire">
      <div class="log-head">
        <h2>Wire</h2>
        <span class="quiet">{name}</span>
        <input
          type="search"
          placeholder="Filter ( / )"
          aria-label="Text in the message"
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
        <label class="check">
          <input
            type="checkbox"
            checked={showsRoutine}
            onChange={({ currentTarget }) => setShowsRoutine(currentTarget.checked)}
          />
          health checks
        </label>
        <button
          type="button"
          class="small"
          aria-pressed={!isWatching.value}
          onClick={() => (isWatching.value ? stopWatching() : watch(name))}
        >
          {isWatching.value ? 'Pause' : 'Resume'}
        </button>
        <button
          type="button"
          class="small"
          disabled={lines.length === 0}
          onClick={() => saveText(`${name}-wire.jsonl`, lines.map(asJson).join(''))}
        >
          Download
        </button>
        <button type="button" class="small" onClick={clearWire}>
          Clear
        </button>
        <span class="quiet">
          {counted(lines.length, 'message')}
          {droppedMessages.value > 0 && `, ${count(droppedMessages.value)} left out`}
        </span>
      </div>
      <div class={open ? 'log-body split' : 'log-body'}>
        {lines.length === 0 ? (
          <p class="empty-log quiet">
            {text !== '' && all.length > 0
              ? 'No message fits the filter.'
              : `Nothing yet. What the host and ${name} say to each other from now on comes here, also while another section is shown.`}
          </p>
        ) : (
          <Lines
            label="Messages"
            lines={lines}
            showPlugin={false}
            wanted={text}
            onOpen={({ seq }) => {
              shownMessage.value = lines.find((line) => line.seq === seq)
            }}
          />
        )}
        {open && (
          <OpenLine
            line={open}
            text={indented(open.message)}
            onClose={() => {
              shownMessage.value = undefined
            }}
          />
        )}
      </div>
      <p class="hint">
        Long texts are cut, and of bytes the number is shown. While messages are shown, calls take a little
        longer.
      </p>
    </section>
  )
}

function asJson({ at, level, plugin, message }: LogLine): string {
  const direction = level === 'sent' ? 'to plugin' : 'from plugin'
  const head = JSON.stringify({ time: new Date(at).toISOString(), plugin, direction })
  return `${head.slice(0, -1)},"message":${message}}\n`
}

function indented(json: string): string {
  return JSON.stringify(JSON.parse(json), null, 2)
}
