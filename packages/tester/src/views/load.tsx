import { signal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import { call } from '../api/rpc.js'
import type { Description, JsonObject, Method, Plugin } from '../api/types.js'
import { withBytes } from '../form/clips.js'
import { Fields } from '../form/form.js'
import { JsonField } from '../form/json-field.js'
import { requiredValues } from '../form/schema.js'
import { Problem } from '../parts/problem.js'
import { useAction } from '../parts/use-action.js'
import { useKept } from '../parts/use-kept.js'
import { describe, isRunning, plugins } from '../state/plugins.js'
import { addressOf } from '../state/route.js'
import { type LoadReport, LoadResult } from './load-result.js'

/** What the last run has told; it goes on while another section is shown. */
const reports = signal<readonly LoadReport[]>([])
let stopping: AbortController | undefined

/** Many callers at once, from the server: throughput and percentiles, with a swap in the middle. */
export function LoadView({ plugin }: { plugin: Plugin }) {
  const [description, setDescription] = useState<Description>()
  const running = isRunning(plugin)
  const { name, version, path } = plugin
  useEffect(() => {
    if (running) describe(plugin).then(setDescription, () => {})
  }, [running, name, version, path])
  return (
    <>
      <h2>Load</h2>
      {running && description ? (
        <Plan plugin={plugin} methods={description.methods} />
      ) : (
        <p class="card quiet">
          {running ? `Asking ${name} for its methods…` : `${name} is not loaded. `}
          {!running && <a href={addressOf({ section: 'plugin', plugin: name })}>Load it first</a>}
        </p>
      )}
      {reports.value.length > 0 && <LoadResult reports={reports.value} />}
    </>
  )
}

function Plan({ plugin, methods }: { plugin: Plugin; methods: readonly Method[] }) {
  const key = `load ${plugin.path}`
  const [chosen, setChosen] = useKept(`${key} method`, () => methods[0]?.name ?? '')
  const method = methods.find(({ name }) => name === chosen) ?? methods[0]
  const [args, setArgs] = useKept<JsonObject>(`${key} args`, () =>
    method ? requiredValues(method.args, method.args) : {},
  )
  const [callers, setCallers] = useKept(`${key} callers`, () => 8)
  const [seconds, setSeconds] = useKept(`${key} seconds`, () => 10)
  const [swapTo, setSwapTo] = useKept(`${key} swap`, () => '')
  const { busy, error, run } = useAction()
  const isUnderWay = busy !== undefined || stopping !== undefined

  const choose = (name: string): void => {
    const next = methods.find((each) => each.name === name)
    setChosen(name)
    if (next) setArgs(requiredValues(next.args, next.args))
  }
  const start = (): void =>
    run('load', async () => {
      stopping = new AbortController()
      reports.value = []
      try {
        const last = await call<LoadReport>(
          'load/run',
          {
            plugin: plugin.name,
            method: chosen,
            args: withBytes(args),
            callers,
            seconds,
            ...(swapTo === '' ? {} : { swap_to: swapTo }),
          },
          {
            signal: stopping.signal,
            onPieces: (pieces) => {
              reports.value = [...reports.value, ...(pieces as LoadReport[])]
            },
          },
        )
        reports.value = [...reports.value, last]
      } catch (thrown) {
        if (!stopping.signal.aborted) throw thrown
        const [last] = reports.value.slice(-1)
        if (last) reports.value = [...reports.value, { ...last, stopped: true }]
      } finally {
        stopping = undefined
      }
    })

  const sameContract = (plugins.value ?? []).filter(
    ({ contract, valid, loaded, name }) =>
      valid && contract === plugin.contract && (!loaded || name === plugin.name),
  )
  if (!method) return null
  return (
    <form
      class="card"
      onSubmit={(event) => {
        event.preventDefault()
        start()
      }}
    >
      <div class="plan">
        <label class="property">
          <span class="label">Method of {plugin.name}</span>
          <select value={method.name} onChange={({ currentTarget }) => choose(currentTarget.value)}>
            {methods.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <NumberOf label="Callers" most={256} value={callers} onChange={setCallers} />
        <NumberOf label="Seconds" most={3600} value={seconds} onChange={setSeconds} />
        <label class="property">
          <span class="label">In the middle</span>
          <select value={swapTo} onChange={({ currentTarget }) => setSwapTo(currentTarget.value)}>
            <option value="">no swap</option>
            {sameContract.map(({ name }) => (
              <option value={name} key={name}>
                {name === plugin.name ? 'swap for itself' : `swap for ${name}`}
              </option>
            ))}
          </select>
        </label>
      </div>
      <div class="columns">
        <Fields key={method.name} schema={method.args} root={method.args} value={args} onChange={setArgs} />
        <JsonField
          id="load-args"
          label="Arguments as JSON"
          value={args}
          rows={6}
          onChange={(next) => setArgs(typeof next === 'object' && next !== null ? { ...next } : {})}
        />
      </div>
      <div class="actions">
        <button type="submit" class="primary" disabled={isUnderWay}>
          {isUnderWay ? 'Running…' : 'Start'}
        </button>
        <button type="button" disabled={!isUnderWay} onClick={() => stopping?.abort()}>
          Stop
        </button>
      </div>
      {error !== undefined && <Problem error={error} />}
    </form>
  )
}

interface NumberProps {
  label: string
  most: number
  value: number
  onChange(value: number): void
}

function NumberOf({ label, most, value, onChange }: NumberProps) {
  return (
    <label class="property">
      <span class="label">{label}</span>
      <input
        type="number"
        min="1"
        max={most}
        required
        value={value}
        onInput={({ currentTarget }) => onChange(currentTarget.valueAsNumber)}
      />
    </label>
  )
}
