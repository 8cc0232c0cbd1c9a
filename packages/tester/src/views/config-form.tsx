import { useId } from 'preact/hooks'
import type { JsonObject, Plugin } from '../api/types.js'
import { Fields } from '../form/form.js'
import { JsonField } from '../form/json-field.js'
import { resolve } from '../form/schema.js'
import { manifestOf } from '../state/plugins.js'

interface ConfigFormProps {
  plugin: Plugin
  config: JsonObject
  onChange(config: JsonObject): void
  onValid(isValid: boolean): void
}

/** The configuration of a plugin, asked for as its manifest says; as JSON where that says nothing. */
export function ConfigForm({ plugin, config, onChange, onValid }: ConfigFormProps) {
  const id = useId()
  const written = manifestOf(plugin)?.config_schema
  const schema = written && resolve(written, written)
  if (written && schema?.properties)
    return (
      <div class="two">
        <Fields schema={schema} root={written} value={config} onChange={onChange} />
      </div>
    )
  return (
    <div class="property">
      <label class="label" for={id}>
        JSON
      </label>
      <JsonField
        id={id}
        value={config}
        rows={4}
        isObject
        onValid={onValid}
        onChange={(next) => onChange(next as JsonObject)}
      />
      <p class="hint">
        {written
          ? 'The config_schema of the manifest is no list of properties, so there is no form: what you write is checked when you load the plugin.'
          : 'The manifest has no config_schema, so there is no form.'}
      </p>
    </div>
  )
}
