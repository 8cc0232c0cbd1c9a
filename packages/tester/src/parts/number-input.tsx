import type { ComponentProps } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

type InputProps = ComponentProps<'input'>

interface NumberInputProps
  extends Pick<
    InputProps,
    'id' | 'class' | 'min' | 'max' | 'step' | 'required' | 'placeholder' | 'inputMode' | 'aria-describedby'
  > {
  /** undefined: none is given, or what stands there is no number yet. */
  value: number | undefined
  onChange(value: number | undefined): void
}

/** A number. What somebody is typing stays as it is: on the way to 1.5 there is `1.`, and on the way to 1e2 there is no number. */
export function NumberInput({ value, onChange, ...rest }: NumberInputProps) {
  const input = useRef<HTMLInputElement>(null)
  useLayoutEffect(() => {
    const element = input.current
    if (element && numberIn(element) !== value) element.value = value === undefined ? '' : String(value)
  }, [value])
  return (
    <input
      {...rest}
      ref={input}
      type="number"
      onInput={({ currentTarget }) => onChange(numberIn(currentTarget))}
    />
  )
}

function numberIn({ valueAsNumber }: HTMLInputElement): number | undefined {
  return Number.isNaN(valueAsNumber) ? undefined : valueAsNumber
}
