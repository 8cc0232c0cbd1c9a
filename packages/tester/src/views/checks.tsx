import { signal } from '@preact/signals'
import { call } from '../api/rpc.js'
import type { CheckReport, Plugin } from '../api/types.js'
import { count, duration } from '../parts/format.js'
import { Jobs } from '../parts/job.js'
import { Problem } from '../parts/problem.js'

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
  const { isRunning, error } = job
  const start = (only?: string): void =>
    void job.run((stop) => runChecks(plugin, only === undefined ? undefined : [only], stop))
  return (
    <>
      <header class="title">
        <h2>Contract checks</h2>
        <span class="quiet">{plugin.name}</span>
      </header>
      <section class="card" aria-label="Run the checks">
        <div class="actions">
          <button type="button" class="primary" disabled={isRunning || !plugin.valid} onClick={() => start()}>
            {isRunning ? 'Checking…' : 'Run all'}
          </button>
          <button type="button" disabled={!isRunning} onClick={() => job.stop()}>
            Stop
          </button>
          <Counts checks={checks} />
        </div>
        <p class="hint">
          They run in processes of their own, from the plugin’s files; what is loaded here goes on
          undisturbed. The same: appfactory-host test.
        </p>
        {error !== undefined && <Problem error={error} />}
      </section>
      {checks.length > 0 && (
        <section class="card" aria-label="Results">
          <ul class="checks">
            {checks.map((check) => (
              <CheckRow key={check.id} check={check} isRunning={isRunning} onRepeat={() => start(check.id)} />
            ))}
          </ul>
        </section>
      )}
    </>
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
  const kinds = ['passed', 'failed', 'blocked', 'skipped'] as const
  const counts = kinds.map((kind) => [kind, checks.filter(({ status }) => status === kind).length] as const)
  return (
    <span class="row counts" role="status">
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

/** Runs them all, or some again: their rows then change in place. */
async function runChecks(
  { path, name }: Plugin,
  only: readonly string[] | undefined,
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
    await call('checks/run', { plugin: name, ...(only ? { only } : {}) }, { signal, onPieces })
  } finally {
    // Of what was stopped, nothing more is told.
    show(rowsOf().filter(({ status }) => status !== 'running'))
  }
}
