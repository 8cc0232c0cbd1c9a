import { useEffect, useRef, useState } from 'preact/hooks'
import { Level } from '../form/bytes-field.js'
import { connected } from '../state/events.js'
import { cast, isLoading, loadChosen, unloaded } from './choices.js'
import { isBusy, listen, microphone, microphoneTrouble, say, stop } from './conversation.js'

/** Who holds the button for less only presses it: the next press ends the speech. In ms. */
const holdMs = 400

/** Type or speak; stop. */
export function Composer() {
  const [text, setText] = useState('')
  useEffect(() => {
    const onEscape = ({ key }: KeyboardEvent): void => {
      if (key === 'Escape') stop()
    }
    document.addEventListener('keydown', onEscape)
    return () => document.removeEventListener('keydown', onEscape)
  }, [])
  // Who leaves the section must not be heard any longer.
  useEffect(() => () => void (microphone.value && stop()), [])
  const send = async (): Promise<void> => {
    // What could not be said stays there to be sent again.
    if (text.trim() === '' || !(await loadChosen())) return
    setText('')
    await say(text.trim())
  }
  const isGone = connected.value === false
  return (
    <form
      class="card composer"
      onSubmit={(event) => {
        event.preventDefault()
        if (!isGone) void send()
      }}
    >
      <div class="row">
        <input
          type="text"
          aria-label="What you say"
          placeholder="Type here, or speak"
          autocomplete="off"
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
        <button type="submit" class="primary" disabled={isGone || isLoading.value}>
          Send
        </button>
        <SpeakButton isDisabled={isGone || unloaded.value.length > 0} />
        <button type="button" disabled={!isBusy.value} onClick={stop}>
          Stop <kbd>Esc</kbd>
        </button>
      </div>
      <p class={`hint ${unloaded.value.length === 0 ? 'usage' : ''}`}>{hint()}</p>
      {microphoneTrouble.value !== undefined && (
        <p class="problem" role="alert">
          {microphoneTrouble.value}
        </p>
      )}
    </form>
  )
}

function hint(): string {
  if (!cast.value.ears.plugin) return 'Choose ears to speak instead of typing.'
  if (unloaded.value.some(({ isBlocked }) => isBlocked))
    return 'A plugin above needs its configuration first.'
  if (unloaded.value.length > 0) return 'Load the plugins above to speak. A typed message loads them too.'
  return 'Hold Speak (or Space on it) while you talk, or press it before and after. Whatever answers is stopped.'
}

/** Held, it listens until it is let go of; pressed shortly, until it is pressed again. */
function SpeakButton({ isDisabled }: { isDisabled: boolean }) {
  const pressedAt = useRef<number | undefined>(undefined)
  const open = microphone.value
  if (!cast.value.ears.plugin) return null
  const press = (): void => {
    if (open) open.finish()
    else {
      pressedAt.current = performance.now()
      void listen()
    }
  }
  const letGo = (): void => {
    const held = performance.now() - (pressedAt.current ?? performance.now())
    pressedAt.current = undefined
    if (held >= holdMs) microphone.value?.finish()
  }
  return (
    <>
      <button
        type="button"
        class={`speak ${open ? 'recording' : ''}`}
        disabled={isDisabled && !open}
        onPointerDown={({ button, currentTarget, pointerId }) => {
          if (button !== 0) return
          currentTarget.setPointerCapture(pointerId)
          press()
        }}
        onPointerUp={letGo}
        onPointerCancel={letGo}
        onKeyDown={(event) => {
          if (event.key !== ' ') return
          event.preventDefault()
          if (!event.repeat) press()
        }}
        onKeyUp={({ key }) => key === ' ' && letGo()}
        // By Enter, or by a screen reader: a pointer has been heard already.
        onClick={({ detail }) => detail === 0 && press()}
      >
        {open ? 'Finish' : 'Speak'}
      </button>
      {open && <Level recording={open.recording} />}
    </>
  )
}
