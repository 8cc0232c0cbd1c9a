import { useEffect, useId, useState } from 'preact/hooks'
import type { Plugin } from '../api/types.js'
import { StatusDot } from '../parts/status.js'
import { manifestOf } from '../state/plugins.js'
import { addressOf } from '../state/route.js'
import { needsConfig, type Role, roles } from './candidates.js'
import { cast, choose, instructions, isLoading, loadChosen, loadTroubles, unloaded } from './choices.js'
import { listOptions } from './engines.js'
import { Failure } from './turn-view.js'

interface Wording {
  title: string
  /** What happens without one. */
  none: string
  option: string
  /** Lists the options. */
  method: string
}

const wording: Record<Role, Wording> = {
  voice: { title: 'Voice', none: 'none: text only', option: 'Voice', method: 'get_voices' },
  ears: { title: 'Ears', none: 'none: typing only', option: 'Language', method: 'get_languages' },
  model: { title: 'Model', none: 'none: an echo', option: 'Model', method: 'get_models' },
}

/** Who takes part in the conversation. */
export function Cast() {
  const missing = unloaded.value
  const loadable = missing.filter(({ isBlocked }) => !isBlocked)
  return (
    <section class="card cast" aria-label="Who talks">
      <div class="roles">
        {roles.map((role) => (
          <RoleChoice role={role} key={role} />
        ))}
      </div>
      <details class="fold">
        <summary>Instructions for the model{instructions.value.trim() !== '' && ' (given)'}</summary>
        <textarea
          aria-label="Instructions for the model"
          rows={2}
          placeholder="You are a friendly assistant. Answer in one or two sentences."
          value={instructions.value}
          onInput={({ currentTarget }) => {
            instructions.value = currentTarget.value
          }}
        />
      </details>
      {loadable.length > 0 && (
        <div class="actions">
          <button type="button" class="primary" disabled={isLoading.value} onClick={() => void loadChosen()}>
            {isLoading.value ? 'Loading…' : `Load ${inWords(loadable.map(({ plugin }) => plugin.name))}`}
          </button>
        </div>
      )}
      {missing
        .filter(({ isBlocked }) => isBlocked)
        .map(({ plugin: { name } }) => (
          <p key={name}>
            {name} needs a configuration before it can be loaded.{' '}
            <a href={addressOf({ section: 'plugin', plugin: name })}>Configure {name}</a>
          </p>
        ))}
      {loadTroubles.value
        .filter(({ role, plugin }) => cast.value[role].plugin?.name === plugin)
        .map((trouble) => (
          <Failure trouble={trouble} what="could not be loaded" key={trouble.plugin} />
        ))}
    </section>
  )
}

function RoleChoice({ role }: { role: Role }) {
  const id = useId()
  const { candidates, plugin, option } = cast.value[role]
  const { title, none, option: optionTitle, method } = wording[role]
  return (
    <div class="role">
      <span class="label">
        <label for={id}>{title}</label> {plugin && <StatusDot status={plugin.status} />}
      </span>
      <select
        id={id}
        value={plugin?.name ?? ''}
        onChange={({ currentTarget: { value } }) => choose(role, { plugin: value || null, option: '' })}
      >
        {candidates.map((each) => (
          <option value={each.name} key={each.path}>
            {each.name}
            {each.loaded ? '' : needsConfig(manifestOf(each)) ? ' · needs a configuration' : ' · not loaded'}
          </option>
        ))}
        <option value="">{none}</option>
      </select>
      {plugin && (
        <OptionChoice
          plugin={plugin}
          method={method}
          label={`${title}: ${optionTitle.toLowerCase()}`}
          value={option}
          onChoose={(value) => choose(role, { plugin: plugin.name, option: value })}
          key={plugin.path}
        />
      )}
    </div>
  )
}

interface OptionChoiceProps {
  plugin: Plugin
  method: string
  label: string
  value: string
  onChoose(value: string): void
}

/** The voice, language or model of a plugin, which only a loaded plugin tells. */
function OptionChoice({ plugin, method, label, value, onChoose }: OptionChoiceProps) {
  const [options, setOptions] = useState<readonly { id: string; label: string }[]>([])
  useEffect(() => {
    if (!plugin.loaded) return
    let isOld = false
    // A plugin that does not tell has its own default.
    listOptions(plugin, method).then(
      (found) => isOld || setOptions(found),
      () => {},
    )
    return () => {
      isOld = true
    }
  }, [plugin.path, plugin.loaded, plugin.version])
  const isUnknown = value !== '' && !options.some(({ id }) => id === value)
  return (
    <select aria-label={label} value={value} onChange={({ currentTarget }) => onChoose(currentTarget.value)}>
      <option value="">default</option>
      {isUnknown && <option value={value}>{value}</option>}
      {options.map((each) => (
        <option value={each.id} key={each.id}>
          {each.label}
        </option>
      ))}
    </select>
  )
}

/** a, b and c. */
function inWords(names: readonly string[]): string {
  return new Intl.ListFormat('en-GB').format(names)
}
