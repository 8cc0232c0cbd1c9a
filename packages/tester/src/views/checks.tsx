import { signal } from '@preact/signals'
import { useRef, useState } from 'preact/hooks'
import { call } from '../api/rpc.js'
import type { CheckReport, JsonObject, Plugin } from '../api/types.js'
import { Elapsed } from '../parts/elapsed.js'
import { count, duration } from '../parts/format.js'
import { Jobs } from '../parts/job.js'
import { Problem } from '../parts/problem.js'
import { useKept } from '../parts/use-kept.js'
import { useValidForm } from '../parts/use-valid-form.js'
import { useConfig, useRunningConfig } from '../state/configs.js'
import { ConfigForm } from './config-form.js'

/** What the checks of each plugin have told; still there when somebody comes back. */
const results = signal<ReadonlyMap<string, readonly CheckReport[]>>(new Map())
const jobs = new Jobs()

const tones: Record<CheckReport['status'], string> = {
  running: 'busy',
  passed: 'good',
  failed: 'bad',
  skipped: 'off',
  blocked: 'wait',
}

/** Contract checks: does the plugin do what its contract says? */
export function ChecksView({ plugin }: { plugin: Plugin }) {
  const job = jobs.of(plugin.path)
  const checks = results.value.get(plugin.path) ?? []
  const { isRunning, error, startedAt } = job
  const [config, setConfig] = useChecksConfig(plugin)
  const [isJsonValid, setJsonValid] = useState(true)
  const validity = useValidForm()
  const form = useRef<HTMLFormElement>(null)
  const start = (only?: string): void => {
    if (!form.current || !validity.check(form.current)) return
    const run = { plugin, config, only: only === undefined ? undefined : [only] }
    void job.run((stop) => runChecks(run, stop))
  }
  return (
    <>
      <header class="title">
        <h2>Contract checks</h2>
        <span class="quiet">{plugin.name}</span>
      </header>
      <form
        class="card"
        aria-label="Run the checks"
        ref={form}
        {...validity.props}
        onSubmit={(event) => {
          event.preventDefault()
          start()
        }}
      >
        <div class="actions">
          <button type="submit" class="primary" disabled={isRunning || !plugin.valid || !isJsonValid}>
            {isRunning ? 'Checking…' : 'Run all'}
          </button>
          <button type="button" disabled={!isRunning} onClick={() => job.stop()}>
            Stop
          </button>
          {startedAt !== undefined && <Elapsed since={startedAt} />}
          <span role="status">
            <Counts checks={checks} />
          </span>
        </div>
        <p class="hint">
          They call every method of the {plugin.contract} contract, also with odd arguments, cancel and end
          the plugin, in processes of their own started from its files; what is loaded here goes on
          undisturbed. The same: appfactory-host test.
        </p>
        {plugin.valid && (
          <details class="fold">
            <summary>Configuration for the checks</summary>
            <ConfigForm plugin={plugin} config={config} onChange={setConfig} onValid={setJsonValid} />
          </details>
        )}
        {validity.trouble !== undefined && (
          <p class="problem" role="alert">
            Not run. {validity.trouble}
          </p>
        )}
        {error !== undefined && <Problem error={error} />}
      </form>
      {checks.length > 0 && (
        <section class="card" aria-label="Results">
          {groupsOf(checks).map(([name, group]) => (
            <Group name={name} checks={group} isRunning={isRunning} onRepeat={start} key={name} />
          ))}
        </section>
      )}
    </>
  )
}

/** As somebody has filled it in for the checks; before that, what the plugin runs with or is to be loaded with. */
function useChecksConfig(plugin: Plugin): [JsonObject, (config: JsonObject) => void] {
  const running = useRunningConfig(plugin)
  const [planned] = useConfig(plugin)
  const [own, setOwn] = useKept<JsonObject | undefined>(`checks ${plugin.path}`, () => undefined)
  return [own ?? running ?? planned, setOwn]
}

/** Checks by what they are about: their ids without the last word. */
function groupsOf(checks: readonly CheckReport[]): [string, CheckReport[]][] {
  const groups = new Map<string, CheckReport[]>()
  for (const check of checks) {
    const name = check.id.split('.').slice(0, -1).join('.')
    groups.set(name, [...(groups.get(name) ?? []), check])
  }
  return [...groups]
}

interface GroupProps {
  name: string
  checks: readonly CheckReport[]
  isRunning: boolean
  onRepeat(id: string): void
}

/** Open where something is wrong: what has passed needs no look. */
function Group({ name, checks, isRunning, onRepeat }: GroupProps) {
  const isOpen = checks.some(({ status }) => status === 'failed' || status === 'blocked')
  return (
    <details class="check-group" open={isOpen}>
      <summary>
        <code>{name}</code> <Counts checks={checks} />
      </summary>
      <ul class="checks">
        {checks.map((check) => (
          <CheckRow key={check.id} check={check} isRunning={isRunning} onRepeat={() => onRepeat(check.id)} />
        ))}
      </ul>
    </details>
  )
}

interface RowProps {
  check: CheckReport
  isRunning: boolean
  onRepeat(): void
}

function CheckRow({ check: { id, title, status, reason, duration_ms: ms }, isRunning, onRepeat }: RowProps) {
  return (
    <li>
      <span class={`check-status ${tones[status]}`}>{status}</span>
      <span class="check-what">
        <code>{id}</code> <span class="quiet">{title}</span>
        {reason && <span class={status === 'failed' ? 'problem' : 'hint'}>{reason}</span>}
      </span>
      <span class="quiet">{ms === undefined ? '' : duration(ms)}</span>
      <button
        type="button"
        class="small"
        disabled={isRunning}
        onClick={onRepeat}
        aria-label={`Run ${id} again`}
      >
        Again
      </button>
    </li>
  )
}

function Counts({ checks }: { checks: readonly CheckReport[] }) {
  const kinds = ['running', 'passed', 'failed', 'blocked', 'skipped'] as const
  const counts = kinds.map((kind) => [kind, checks.filter(({ status }) => status === kind).length] as const)
  return (
    <span class="row counts">
      {counts
        .filter(([, number]) => number > 0)
        .map(([kind, number]) => (
          <span class={tones[kind]} key={kind}>
            {count(number)} {kind}
          </span>
        ))}
    </span>
  )
}

interface ChecksRun {
  plugin: Plugin
  config: JsonObject
  /** Ids; undefined: all. */
  only: readonly string[] | undefined
}

/** Runs them all, or some again: their rows then change in place. */
async function runChecks(
  { plugin: { path, name }, config, only }: ChecksRun,
  signal: AbortSignal,
): Promise<void> {
  const rowsOf = (): readonly CheckReport[] => results.value.get(path) ?? []
  const show = (rows: readonly CheckReport[]): void => {
    results.value = new Map([...results.value, [path, rows]])
  }
  if (!only) show([])
  const onPieces = (pieces: unknown[]): void => {
    const rows = new Map(rowsOf().map((check) => [check.id, check]))
    for (const check of pieces as CheckReport[]) rows.set(check.id, check)
    show([...rows.values()])
  }
  try {
    await call('checks/run', { plugin: name, config, ...(only ? { only } : {}) }, { signal, onPieces })
  } finally {
    // Of what was stopped, nothing more is told.
    show(rowsOf().filter(({ status }) => status !== 'running'))
  }
}
