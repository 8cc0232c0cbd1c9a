import { useEffect, useRef, useState } from 'preact/hooks'

interface JsonFieldProps {
  id: string
  value: unknown
  rows: number
  label?: string
  /** Whether nothing but an object will do: nothing at all is none. */
  isObject?: boolean
  onChange(value: unknown): void
  /** Tells whether what stands there can be used. */
  onValid?(isValid: boolean): void
}

/** A value as JSON. It follows the value from elsewhere, but never rewrites what somebody is typing. */
export function JsonField({ id, value, rows, label, isObject = false, onChange, onValid }: JsonFieldProps) {
  const [text, setText] = useState(() => show(value))
  const [problem, setProblem] = useState<string>()
  const written = useRef(value)
  const field = useRef<HTMLTextAreaElement>(null)

  useEffect(() => {
    // What was typed here comes back as it is.
    if (written.current === value) return
    written.current = value
    setText(show(value))
    setProblem(undefined)
    onValid?.(true)
  }, [value, onValid])

  // A form is not sent with it either.
  useEffect(() => field.current?.setCustomValidity(problem ?? ''), [problem])

  function take(next: string): void {
    setText(next)
    const { parsed, trouble } = read(next, isObject)
    setProblem(trouble)
    onValid?.(trouble === undefined)
    if (trouble !== undefined) return
    written.current = parsed
    onChange(parsed)
  }

  return (
    <>
      <textarea
        id={id}
        ref={field}
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
          {problem}
        </p>
      )}
    </>
  )
}

function read(text: string, isObject: boolean): { parsed?: unknown; trouble?: string } {
  if (text.trim() === '') return isObject ? { trouble: 'Empty: an object is needed, {} at least.' } : {}
  try {
    const parsed: unknown = JSON.parse(text)
    const fits = !isObject || (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
    return fits ? { parsed } : { trouble: 'Not an object yet: write { "name": value }.' }
  } catch (error) {
    return { trouble: `Not JSON yet: ${error instanceof Error ? error.message : String(error)}` }
  }
}

function show(value: unknown): string {
  return value === undefined ? '' : JSON.stringify(value, null, 2)
}
