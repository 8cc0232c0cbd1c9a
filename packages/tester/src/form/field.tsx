import type { JsonObject, Schema } from '../api/types.js'
import { NumberInput } from '../parts/number-input.js'
import { BytesField } from './bytes-field.js'
import { Fields } from './form.js'
import { JsonField } from './json-field.js'
import { initialValue, kindOf, requiredValues, resolve } from './schema.js'

export interface FieldProps {
  id: string
  name: string
  schema: Schema
  root: Schema
  isRequired: boolean
  value: unknown
  /** undefined: it is not given. */
  onChange(value: unknown): void
}

/** One value, asked for as its schema says. */
export function Field(props: FieldProps) {
  const schema = resolve(props.schema, props.root)
  switch (kindOf(schema)) {
    case 'enum':
      return <Choice {...props} options={schema.enum ?? []} />
    case 'boolean':
      return <Choice {...props} options={[true, false]} />
    case 'number':
    case 'integer':
      return <NumberField {...props} schema={schema} />
    case 'text':
      // The place may take more than text: what was given as JSON stays.
      if (typeof props.value === 'object' && props.value !== null) break
      return <TextField {...props} />
    case 'bytes':
      return <BytesField {...props} />
    case 'list':
      return <ListField {...props} schema={schema} />
    case 'object':
      return <ObjectField {...props} schema={schema} />
  }
  return <JsonField id={props.id} value={props.value} rows={3} onChange={props.onChange} />
}

function Choice({ id, options, isRequired, value, schema, onChange }: FieldProps & { options: unknown[] }) {
  const unset = schema.default === undefined ? 'default' : `default: ${String(schema.default)}`
  return (
    <select
      id={id}
      aria-describedby={`${id}-hint`}
      value={value === undefined ? '' : String(options.indexOf(value))}
      onChange={({ currentTarget }) =>
        onChange(currentTarget.value === '' ? undefined : options[Number(currentTarget.value)])
      }
    >
      {!(isRequired && value !== undefined) && <option value="">{unset}</option>}
      {options.map((option, index) => (
        <option key={String(option)} value={String(index)}>
          {String(option)}
        </option>
      ))}
    </select>
  )
}

function NumberField({ id, schema, value, onChange }: FieldProps) {
  return (
    <NumberInput
      id={id}
      inputMode="decimal"
      aria-describedby={`${id}-hint`}
      min={schema.minimum}
      max={schema.maximum}
      step={kindOf(schema) === 'integer' ? 1 : 'any'}
      placeholder={schema.default === undefined ? '' : `default: ${String(schema.default)}`}
      value={typeof value === 'number' ? value : undefined}
      onChange={onChange}
    />
  )
}

/** Texts that are longer than a word as a rule. */
const longNames = /text|prompt|content|message|description/

function TextField({ id, name, schema, isRequired, value, onChange }: FieldProps) {
  const shared = {
    id,
    'aria-describedby': `${id}-hint`,
    placeholder: schema.default === undefined ? '' : `default: ${String(schema.default)}`,
    value: typeof value === 'string' ? value : '',
  }
  const take = (text: string): void => onChange(text === '' && !isRequired ? undefined : text)
  if (longNames.test(name) && !name.endsWith('type'))
    return <textarea {...shared} rows={3} onInput={({ currentTarget }) => take(currentTarget.value)} />
  return (
    <input
      {...shared}
      type="text"
      onInput={({ currentTarget }) => take(currentTarget.value)}
      spellcheck={false}
    />
  )
}

function ListField({ id, name, schema, root, value, onChange }: FieldProps) {
  const items = Array.isArray(value) ? value : []
  const itemSchema = schema.items ?? {}
  const add = (): void => onChange([...items, initialValue(itemSchema, root)])
  const replace = (index: number, item: unknown): void => {
    onChange(items.map((each, at) => (at === index ? item : each)))
  }
  const remove = (index: number): void => {
    const left = items.filter((_, at) => at !== index)
    onChange(left.length === 0 ? undefined : left)
  }
  return (
    <fieldset class="list" id={id} aria-label={name}>
      {items.map((item, index) => (
        <div class="list-item" key={index}>
          <Field
            id={`${id}-${index}`}
            name={name}
            schema={itemSchema}
            root={root}
            isRequired
            value={item}
            onChange={(next) => replace(index, next)}
          />
          <button
            type="button"
            class="small"
            onClick={() => remove(index)}
            aria-label={`Remove ${index + 1}`}
          >
            Remove
          </button>
        </div>
      ))}
      <button type="button" class="small" onClick={add}>
        Add
      </button>
    </fieldset>
  )
}

/** Its fields are there once it is given: a schema may contain itself. */
function ObjectField({ id, name, schema, root, isRequired, value, onChange }: FieldProps) {
  const isGiven = typeof value === 'object' && value !== null && !Array.isArray(value)
  return (
    <fieldset class="nested" id={id} aria-label={name}>
      {isGiven && <Fields schema={schema} root={root} value={value as JsonObject} onChange={onChange} />}
      {!isGiven && (
        <button type="button" class="small" onClick={() => onChange(requiredValues(schema, root))}>
          Add
        </button>
      )}
      {isGiven && !isRequired && (
        <button type="button" class="small" aria-label={`Remove ${name}`} onClick={() => onChange(undefined)}>
          Remove
        </button>
      )}
    </fieldset>
  )
}
