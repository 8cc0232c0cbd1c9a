/** Colours of the status values. The word is always there too. */
const tones: Record<string, string> = {
  READY: 'good',
  BUSY: 'busy',
  ERROR: 'bad',
  INITIALIZING: 'wait',
  SHUTTING_DOWN: 'wait',
}

export function Status({ status }: { status: string }) {
  const words = status.replace('_', ' ').toLowerCase()
  return (
    <span class={`status ${tones[status] ?? 'off'}`}>
      <span class="dot" aria-hidden="true" />
      {words}
    </span>
  )
}

/** Only the dot, where there is no room for the word. */
export function StatusDot({ status }: { status: string }) {
  return <span class={`dot ${tones[status] ?? 'off'}`} role="img" aria-label={status.toLowerCase()} />
}
