import type { JsonObject, Schema } from '../api/types.js'
import { BytesField } from './bytes-field.js'
import { Fields } from './form.js'
import { EnumField, NumberField, TextField } from './inputs.js'
import { JsonField } from './json-field.js'
import {
  initialValue,
  kindOf,
  requiredValues,
  resolve,
  variantName,
  variantOf,
  variantsOf,
} from './schema.js'

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
  const resolved = { ...props, schema }
  switch (kindOf(schema)) {
    case 'enum':
      return <EnumField {...resolved} options={schema.enum ?? []} />
    case 'boolean':
      return <EnumField {...resolved} options={[true, false]} />
    case 'number':
    case 'integer':
      return <NumberField {...resolved} />
    case 'text':
      // The place may take more than text: what was given as JSON stays.
      if (typeof props.value === 'object' && props.value !== null) break
      return <TextField {...resolved} />
    case 'bytes':
      return <BytesField {...props} />
    case 'list':
      return <ListField {...resolved} />
    case 'object':
      return <ObjectField {...resolved} />
    case 'variants':
      return <VariantsField {...resolved} />
  }
  return <JsonField id={props.id} value={props.value} rows={3} onChange={props.onChange} />
}

function ListField({ id, name, schema, root, value, onChange }: FieldProps) {
  const items = Array.isArray(value) ? value : []
  const itemSchema = schema.items ?? {}
  const { role, content } = resolve(itemSchema, root).properties ?? {}
  const itemClass = role && content ? 'list-item turn' : 'list-item'
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
        <div class={itemClass} key={index}>
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

/** A value of one of several forms: first which, then its fields. */
function VariantsField({ id, name, schema, root, isRequired, value, onChange }: FieldProps) {
  const variants = variantsOf(schema)
  const chosen = value === undefined ? -1 : variantOf(value, variants, root)
  const variant = variants[chosen]
  const choose = (choice: string): void => {
    const next = variants[Number(choice)]
    onChange(choice === '' || !next ? undefined : initialValue(next, root))
  }
  // What has none of the forms is shown as it is.
  if (value !== undefined && !variant) return <JsonField id={id} value={value} rows={3} onChange={onChange} />
  return (
    <div class="variants">
      <select
        id={id}
        aria-describedby={`${id}-hint`}
        required={isRequired}
        value={variant ? String(chosen) : ''}
        onChange={({ currentTarget }) => choose(currentTarget.value)}
      >
        {!(isRequired && variant) && <option value="">{isRequired ? 'choose…' : 'default'}</option>}
        {variants.map((each, index) => (
          <option key={String(index)} value={String(index)}>
            {variantName(each, root, index)}
          </option>
        ))}
      </select>
      {variant && (
        <Field
          key={String(chosen)}
          id={`${id}-value`}
          name={name}
          schema={variant}
          root={root}
          isRequired
          value={value}
          onChange={onChange}
        />
      )}
    </div>
  )
}
