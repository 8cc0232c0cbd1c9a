import { useState } from 'preact/hooks'

interface ValidForm {
  /** What is wrong in the form, since it was last to be sent. */
  trouble: string | undefined
  /** Whether it may be sent. Where it may not: says why, opens what hides the field, and goes there. */
  check(form: HTMLFormElement): boolean
  /** For the form: the browser's own check says nothing of a field that is folded away. */
  props: { noValidate: true; onInput(): void }
}

/** Checks a form before it is sent. */
export function useValidForm(): ValidForm {
  const [trouble, setTrouble] = useState<string>()
  const check = (form: HTMLFormElement): boolean => {
    const field = form.querySelector<HTMLInputElement>(':is(input, select, textarea):invalid')
    setTrouble(field ? `${labelOf(field)}: ${field.validationMessage}` : undefined)
    if (field) show(field)
    return field === null
  }
  return { trouble, check, props: { noValidate: true, onInput: () => setTrouble(undefined) } }
}

function show(field: HTMLElement): void {
  for (let fold = field.closest('details'); fold; fold = fold.parentElement?.closest('details') ?? null)
    fold.open = true
  field.focus()
}

function labelOf(field: HTMLInputElement): string {
  return field.getAttribute('aria-label') ?? field.labels?.[0]?.firstChild?.textContent?.trim() ?? 'A field'
}
