import { useContext, useState } from 'preact/hooks'
import { NumberInput } from '../parts/number-input.js'
import { type Choice, Choices } from './choices.js'
import type { FieldProps } from './field.js'
import { isSecret, kindOf } from './schema.js'

// The fields of single values.

export function EnumField({
  id,
  options,
  isRequired,
  value,
  schema,
  onChange,
}: FieldProps & { options: readonly unknown[] }) {
  const at = options.indexOf(value)
  return (
    <select
      id={id}
      aria-describedby={`${id}-hint`}
      required={isRequired}
      value={at < 0 ? '' : String(at)}
      onChange={({ currentTarget }) =>
        onChange(currentTarget.value === '' ? undefined : options[Number(currentTarget.value)])
      }
    >
      {!(isRequired && at >= 0) && <option value="">{isRequired ? 'choose…' : unsetText(schema)}</option>}
      {options.map((option, index) => (
        <option key={String(option)} value={String(index)}>
          {schema.titles?.[index] ?? String(option)}
        </option>
      ))}
    </select>
  )
}

function unsetText({ default: given }: FieldProps['schema']): string {
  return given === undefined ? 'default' : `default: ${String(given)}`
}

export function NumberField({ id, schema, value, onChange }: FieldProps) {
  return (
    <NumberInput
      id={id}
      inputMode="decimal"
      aria-describedby={`${id}-hint`}
      min={schema.minimum}
      max={schema.maximum}
      step={kindOf(schema) === 'integer' ? 1 : 'any'}
      placeholder={schema.default === undefined ? '' : unsetText(schema)}
      value={typeof value === 'number' ? value : undefined}
      onChange={onChange}
    />
  )
}

/** Texts that are longer than a word as a rule. */
const longNames = /text|prompt|content|message|description/

export function TextField({ id, name, schema, isRequired, value, onChange }: FieldProps) {
  const ask = useContext(Choices)(name)
  const shared = {
    id,
    'aria-describedby': `${id}-hint`,
    placeholder: schema.default === undefined || isSecret(schema) ? '' : unsetText(schema),
    value: typeof value === 'string' ? value : '',
  }
  const take = (text: string): void => onChange(text === '' && !isRequired ? undefined : text)
  if (isSecret(schema)) return <SecretInput {...shared} onText={take} />
  if (longNames.test(name) && !name.endsWith('type'))
    return <textarea {...shared} rows={3} onInput={({ currentTarget }) => take(currentTarget.value)} />
  if (ask) return <ChoiceInput {...shared} ask={ask} onText={take} />
  return (
    <input
      {...shared}
      type="text"
      onInput={({ currentTarget }) => take(currentTarget.value)}
      spellcheck={false}
    />
  )
}

interface TextProps {
  id: string
  'aria-describedby': string
  placeholder: string
  value: string
  onText(text: string): void
}

function SecretInput({ onText, ...shared }: TextProps) {
  const [isShown, setShown] = useState(false)
  const own = {
    ...shared,
    autocomplete: 'off',
    spellcheck: false,
    onInput: ({ currentTarget }: { currentTarget: HTMLInputElement }) => onText(currentTarget.value),
  }
  return (
    <span class="row secret">
      {isShown ? <input {...own} type="text" /> : <input {...own} type="password" />}
      <button type="button" class="small" aria-pressed={isShown} onClick={() => setShown(!isShown)}>
        Show
      </button>
    </span>
  )
}

/** Most choices that a list offers: a browser draws all of them. */
const mostChoices = 500

/** A text, with what the plugin offers for it. The plugin is asked when somebody comes to the field. */
function ChoiceInput({ ask, onText, id, ...shared }: TextProps & { ask: () => Promise<readonly Choice[]> }) {
  const [choices, setChoices] = useState<readonly Choice[]>()
  const [trouble, setTrouble] = useState<string>()
  const load = (): void => {
    if (choices) return
    setTrouble(undefined)
    ask().then(setChoices, ({ message }: Error) => setTrouble(message))
  }
  return (
    <>
      <input
        {...shared}
        id={id}
        type="text"
        list={`${id}-choices`}
        spellcheck={false}
        onFocus={load}
        onInput={({ currentTarget }) => onText(currentTarget.value)}
      />
      <datalist id={`${id}-choices`}>
        {choices?.slice(0, mostChoices).map(({ value, label }) => (
          <option key={value} value={value} label={label} />
        ))}
      </datalist>
      {trouble !== undefined && <p class="hint">No choices: {trouble}</p>}
    </>
  )
}
