import { signal } from '@preact/signals'
import { useEffect, useId, useMemo, useState } from 'preact/hooks'
import { call } from '../api/rpc.js'
import type { JsonObject, Method, Plugin } from '../api/types.js'
import { Choices } from '../form/choices.js'
import { withBytes } from '../form/clips.js'
import { Fields } from '../form/form.js'
import { JsonField } from '../form/json-field.js'
import { choicesOf } from '../invoke/choices.js'
import { isImplemented } from '../invoke/chosen.js'
import { history } from '../invoke/run.js'
import { sampleArguments } from '../invoke/sample.js'
import { Job } from '../parts/job.js'
import { NumberInput } from '../parts/number-input.js'
import { Problem } from '../parts/problem.js'
import { useKept } from '../parts/use-kept.js'
import { useValidForm } from '../parts/use-valid-form.js'
import { connected } from '../state/events.js'
import { isRunning, plugins, useDescription } from '../state/plugins.js'
import { LoadResult, type RunReport } from './load-result.js'
import { NotLoaded } from './not-loaded.js'

/** What the last run has told; it goes on while another section is shown. */
const reports = signal<readonly RunReport[]>([])
const job = new Job()

/** Many callers at once, from the server: throughput and percentiles, with a swap in the middle. */
export function LoadView({ plugin }: { plugin: Plugin }) {
  const { description, error } = useDescription(plugin)
  return (
    <>
      <h2>Load test</h2>
      {!isRunning(plugin) && <NotLoaded plugin={plugin} purpose="to put it under load" />}
      {isRunning(plugin) && error !== undefined && <Problem error={error} />}
      {isRunning(plugin) &&
        error === undefined &&
        (description ? (
          <Plan
            plugin={plugin}
            methods={description.methods.filter((method) => isImplemented(plugin, method))}
          />
        ) : (
          <p class="card quiet">Asking {plugin.name} for its methods…</p>
        ))}
      {reports.value.length > 0 && <LoadResult reports={reports.value} />}
    </>
  )
}

/** Runs a plan, and tells what it reports. */
async function runPlan(plan: object, stop: AbortSignal): Promise<void> {
  reports.value = []
  const tell = (fresh: readonly RunReport[]): void => {
    reports.value = [...reports.value, ...fresh]
  }
  try {
    const onPieces = (pieces: unknown[]): void => tell(pieces as RunReport[])
    tell([await call<RunReport>('load/run', plan, { signal: stop, onPieces })])
  } finally {
    const last = reports.value.at(-1)
    // What was under way is cancelled in the plugin; nobody is there to count it.
    if (last && !last.done)
      tell([{ ...last, in_flight: 0, cancelled: last.cancelled + last.in_flight, stopped: true }])
  }
}

function Plan({ plugin, methods }: { plugin: Plugin; methods: readonly Method[] }) {
  const key = `load ${plugin.path}`
  const [chosen, setChosen] = useKept(`${key} method`, () => methods[0]?.name ?? '')
  const method = methods.find(({ name }) => name === chosen) ?? methods[0]
  const [args, setArgs] = useKept<JsonObject | undefined>(`${key} args`, () =>
    method ? lastGoodArguments(plugin, method) : {},
  )
  const [callers, setCallers] = useKept<number | undefined>(`${key} callers`, () => 8)
  const [seconds, setSeconds] = useKept<number | undefined>(`${key} seconds`, () => 10)
  const [swapTo, setSwapTo] = useKept(`${key} swap`, () => '')
  const [isJsonValid, setJsonValid] = useState(true)
  const validity = useValidForm()
  const { isRunning: isUnderWay, error } = job

  const choices = useMemo(() => choicesOf(plugin, methods), [plugin, methods])
  // A run with arguments that are refused would measure nothing.
  useEffect(() => {
    if (args || !method) return
    let isOld = false
    void sampleArguments(method, choices).then((sample) => isOld || setArgs(sample))
    return () => {
      isOld = true
    }
  }, [method?.name, args === undefined])

  const choose = (name: string): void => {
    const next = methods.find((each) => each.name === name)
    setChosen(name)
    if (next) setArgs(lastGoodArguments(plugin, next))
  }
  const start = (form: HTMLFormElement): void => {
    if (!method || !args || !validity.check(form)) return
    const given = withBytes(args, method.args)
    const swap = swapTo === '' ? {} : { swap_to: swapTo }
    const plan = { plugin: plugin.name, method: method.name, args: given, callers, seconds, ...swap }
    void job.run((stop) => runPlan(plan, stop))
  }

  const sameContract = (plugins.value ?? []).filter(
    ({ contract, valid, loaded, name }) =>
      valid && contract === plugin.contract && (!loaded || name === plugin.name),
  )
  if (!method) return null
  return (
    <form
      class="card"
      {...validity.props}
      onSubmit={(event) => {
        event.preventDefault()
        start(event.currentTarget)
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
        <NumberOf label="Callers" least={1} most={256} value={callers} onChange={setCallers} />
        <NumberOf label="Seconds" least={0.1} most={3600} value={seconds} onChange={setSeconds} />
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
      {args ? (
        <Choices.Provider value={choices}>
          <div class="columns">
            <Fields
              key={method.name}
              schema={method.args}
              root={method.args}
              value={args}
              onChange={setArgs}
            />
            <JsonField
              id="load-args"
              label="Arguments as JSON"
              value={args}
              rows={6}
              isObject
              onValid={setJsonValid}
              onChange={(next) => setArgs(next as JsonObject)}
            />
          </div>
        </Choices.Provider>
      ) : (
        <p class="quiet">Looking for arguments that {plugin.name} takes…</p>
      )}
      <div class="actions">
        <button
          type="submit"
          class="primary"
          disabled={isUnderWay || !args || !isJsonValid || connected.value === false}
        >
          {isUnderWay ? 'Running…' : 'Start'}
        </button>
        <button type="button" disabled={!isUnderWay} onClick={() => job.stop()}>
          Stop
        </button>
      </div>
      {validity.trouble !== undefined && (
        <p class="problem" role="alert">
          Not started. {validity.trouble}
        </p>
      )}
      {error !== undefined && <Problem error={error} />}
    </form>
  )
}

/** Those of the newest call that was answered. */
function lastGoodArguments(plugin: Plugin, method: Method): JsonObject | undefined {
  return history.value.find(
    ({ state, invocation }) =>
      state === 'done' && invocation.plugin === plugin.name && invocation.method.name === method.name,
  )?.invocation.args
}

interface NumberProps {
  label: string
  most: number
  least: number
  value: number | undefined
  onChange(value: number | undefined): void
}

function NumberOf({ label, least, most, value, onChange }: NumberProps) {
  const id = useId()
  return (
    <div class="property">
      <label class="label" for={id}>
        {label}
      </label>
      <NumberInput
        id={id}
        min={least}
        max={most}
        step={least < 1 ? 'any' : 1}
        required
        value={value}
        onChange={onChange}
      />
    </div>
  )
}
