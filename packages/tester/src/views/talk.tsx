import { useEffect, useRef } from 'preact/hooks'
import { plugins } from '../state/plugins.js'
import { Cast } from '../talk/cast.js'
import { Composer } from '../talk/composer.js'
import { clear, turns } from '../talk/conversation.js'
import { TurnView } from '../talk/turn-view.js'
import { Nothing } from './nothing.js'

/** A conversation with the plugins: speak or type, hear the answer, see when what happened. */
export function TalkView() {
  if (plugins.value === undefined || plugins.value.length === 0) return <Nothing />
  return (
    <div class="talk">
      <header class="title">
        <h2>Talk</h2>
        {turns.value.length > 0 && (
          <button type="button" class="small" onClick={clear}>
            Clear conversation
          </button>
        )}
      </header>
      <Cast />
      <Conversation />
      <Composer />
    </div>
  )
}

function Conversation() {
  const log = useRef<HTMLDivElement>(null)
  const all = turns.value
  // The newest is what somebody waits for.
  useEffect(
    () => log.current?.lastElementChild?.lastElementChild?.scrollIntoView({ block: 'nearest' }),
    [all],
  )
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the keyboard
    <div class="turns" role="log" aria-label="Conversation" tabIndex={0} ref={log}>
      {all.length === 0 && (
        <p class="quiet">Say something, or type it. The answer is written and spoken here.</p>
      )}
      <ol>
        {all.map((turn) => (
          <TurnView turn={turn} key={turn.id} />
        ))}
      </ol>
    </div>
  )
}
