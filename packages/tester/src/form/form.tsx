import type { ComponentChildren } from 'preact'
import { useEffect, useId, useState } from 'preact/hooks'
import type { JsonObject, Schema } from '../api/types.js'
import { Field } from './field.js'
import { labelOf } from './schema.js'

export interface FieldsProps {
  schema: Schema
  root: Schema
  value: JsonObject
  onChange(value: JsonObject): void
}

/** The properties of an object: what is required first, the rest behind a fold. */
export function Fields({ schema, root, value, onChange }: FieldsProps) {
  const required = new Set(schema.required ?? [])
  const properties = Object.entries(schema.properties ?? {})
  const first = properties.filter(([name]) => required.has(name))
  const rest = properties.filter(([name]) => !required.has(name))
  const field = ([name, property]: [string, Schema]) => (
    <Property
      key={name}
      name={name}
      schema={property}
      root={root}
      isRequired={required.has(name)}
      value={value[name]}
      onChange={(next) => onChange(withProperty(value, name, next))}
    />
  )
  // What is as the schema has it anyway is no news.
  const given = rest.filter(
    ([name, { default: usual }]) =>
      value[name] !== undefined && JSON.stringify(value[name]) !== JSON.stringify(usual),
  ).length
  if (properties.length === 0) return <p class="quiet">Nothing to fill in.</p>
  if (first.length === 0 || rest.length < 3) return <div class="fields">{[...first, ...rest].map(field)}</div>
  return (
    <div class="fields">
      {first.map(field)}
      <Fold count={rest.length} given={given}>
        <div class="fields">{rest.map(field)}</div>
      </Fold>
    </div>
  )
}

interface FoldProps {
  count: number
  given: number
  children: ComponentChildren
}

/** Opens where something in it is given, and stays as it is while somebody types. */
function Fold({ count, given, children }: FoldProps) {
  const [isOpen, setOpen] = useState(given > 0)
  const isGiven = given > 0
  useEffect(() => {
    if (isGiven) setOpen(true)
  }, [isGiven])
  return (
    <details class="fold" open={isOpen} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>
        {count} optional{isGiven && `, ${given} given`}
      </summary>
      {children}
    </details>
  )
}

interface PropertyProps {
  name: string
  schema: Schema
  root: Schema
  isRequired: boolean
  value: unknown
  onChange(value: unknown): void
}

function Property({ name, schema, root, isRequired, value, onChange }: PropertyProps) {
  const id = useId()
  return (
    <div class="property">
      <label for={id} class="label">
        {labelOf(name, schema)}
        {isRequired && <span class="quiet"> required</span>}
      </label>
      <Field
        id={id}
        name={name}
        schema={schema}
        root={root}
        isRequired={isRequired}
        value={value}
        onChange={onChange}
      />
      {schema.description && (
        <p class="hint" id={`${id}-hint`}>
          {schema.description}
        </p>
      )}
    </div>
  )
}

/** What is not given is not sent, so that the plugin's own default counts. */
function withProperty(value: JsonObject, name: string, next: unknown): JsonObject {
  const { [name]: _before, ...others } = value
  return next === undefined ? others : { ...value, [name]: next }
}
