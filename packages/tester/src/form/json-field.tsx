import { useEffect, useRef, useState } from 'preact/hooks'

interface JsonFieldProps {
  id: string
  value: unknown
  rows: number
  label?: string
  onChange(value: unknown): void
  /** Tells whether what stands there is JSON. */
  onValid?(isValid: boolean): void
}

/** A value as JSON. It follows the value from elsewhere, but never rewrites what somebody is typing. */
export function JsonField({ id, value, rows, label, onChange, onValid }: JsonFieldProps) {
  const [text, setText] = useState(() => show(value))
  const [problem, setProblem] = useState<string>()
  const written = useRef(value)

  useEffect(() => {
    if (same(written.current, value)) return
    written.current = value
    setText(show(value))
    setProblem(undefined)
    onValid?.(true)
  }, [value, onValid])

  function take(next: string): void {
    setText(next)
    try {
      const parsed: unknown = next.trim() === '' ? undefined : JSON.parse(next)
      written.current = parsed
      setProblem(undefined)
      onValid?.(true)
      onChange(parsed)
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error))
      onValid?.(false)
    }
  }

  return (
    <>
      <textarea
        id={id}
        class="code"
        rows={rows}
        spellcheck={false}
        aria-label={label}
        aria-invalid={problem !== undefined}
        aria-describedby={problem === undefined ? undefined : `${id}-problem`}
        value={text}
        onInput={({ currentTarget }) => take(currentTarget.value)}
      />
      {problem !== undefined && (
        <p class="problem" id={`${id}-problem`} role="alert">
          Not JSON yet: {problem}
        </p>
      )}
    </>
  )
}

function show(value: unknown): string {
  return value === undefined ? '' : JSON.stringify(value, null, 2)
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
