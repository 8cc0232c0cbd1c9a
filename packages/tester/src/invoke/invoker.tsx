import { signal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import type { Description, JsonObject, Method, Plugin } from '../api/types.js'
import { Fields } from '../form/form.js'
import { JsonField } from '../form/json-field.js'
import { requiredValues } from '../form/schema.js'
import { Problem } from '../parts/problem.js'
import { Status } from '../parts/status.js'
import { describe, isRunning } from '../state/plugins.js'
import { addressOf } from '../state/route.js'
import { History } from './history.js'
import { Result } from './result.js'
import { begin, history, type Invocation } from './run.js'

/** What was last filled in for each method, so that another section or plugin is no loss. */
const drafts = new Map<string, JsonObject>()
const chosenMethods = new Map<string, string>()
const shownRun = signal<number | undefined>(undefined)

/** The Method Invoker: choose a method, fill it in as a form or as JSON, see what comes of it. */
export function Invoker({ plugin }: { plugin: Plugin }) {
  const [description, setDescription] = useState<Description>()
  const [error, setError] = useState<unknown>()
  const running = isRunning(plugin)
  const { name, version, path } = plugin
  useEffect(() => {
    if (running) describe(plugin).then(setDescription, setError)
  }, [running, name, version, path])
  if (!running)
    return (
      <section class="empty">
        <h2>{plugin.name} is not loaded</h2>
        <p>Load it, then come back to call its methods.</p>
        <a class="button primary" href={addressOf({ section: 'plugin', plugin: plugin.name })}>
          Go to {plugin.name}
        </a>
      </section>
    )
  if (error !== undefined) return <Problem error={error} />
  if (!description) return <p class="quiet">Asking {plugin.name} for its methods…</p>
  return <Methods plugin={plugin} methods={description.methods} />
}

function Methods({ plugin, methods }: { plugin: Plugin; methods: readonly Method[] }) {
  const [chosen, setChosen] = useState(chosenMethods.get(plugin.name) ?? methods[0]?.name)
  const method = methods.find(({ name }) => name === chosen) ?? methods[0]
  if (!method) return <p>{plugin.name} has no methods.</p>
  const choose = (name: string): void => {
    chosenMethods.set(plugin.name, name)
    setChosen(name)
  }
  const edit = ({ method: { name }, args }: Invocation): void => {
    drafts.set(draftKey(plugin, name), args)
    choose(name)
  }
  return (
    <>
      <header class="title">
        <h2>{plugin.name}</h2>
        <Status status={plugin.status} />
      </header>
      <fieldset class="chips" aria-label="Methods">
        {methods.map(({ name, kind }) => (
          <button type="button" key={name} aria-pressed={name === method.name} onClick={() => choose(name)}>
            {name}
            {kind === 'stream' && <span class="tag">stream</span>}
          </button>
        ))}
      </fieldset>
      <Call plugin={plugin} method={method} key={method.name} />
      <History plugin={plugin.name} onEdit={edit} onShow={(id) => (shownRun.value = id)} />
    </>
  )
}

function Call({ plugin, method }: { plugin: Plugin; method: Method }) {
  const key = draftKey(plugin, method.name)
  const [args, setArgs] = useState(() => drafts.get(key) ?? requiredValues(method.args, method.args))
  const [isValid, setValid] = useState(true)
  const [timeout, setTimeout] = useState<number>()
  const [inPieces, setInPieces] = useState(true)
  const own = history.value.filter(
    ({ invocation }) => invocation.plugin === plugin.name && invocation.method.name === method.name,
  )
  const run = own.find(({ id }) => id === shownRun.value) ?? own[0]
  const isRunningNow = run?.state === 'running'

  const change = (next: JsonObject): void => {
    drafts.set(key, next)
    setArgs(next)
  }
  const invoke = (): void => {
    if (!isValid) return
    const pluginsDir = plugin.path.replace(/[\\/][^\\/]+$/, '')
    shownRun.value = begin({ plugin: plugin.name, pluginsDir, method, args, timeout, inPieces })
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      invoke()
    } else if (event.key === 'Escape') run?.cancel()
  }

  return (
    <form
      class="call"
      onKeyDown={onKeyDown}
      onSubmit={(event) => {
        event.preventDefault()
        invoke()
      }}
    >
      <p class="quiet">{method.description}</p>
      <div class="columns">
        <section class="card" aria-label="Arguments">
          <h3>Arguments</h3>
          <Fields schema={method.args} root={method.args} value={args} onChange={change} />
        </section>
        <section class="card" aria-label="Arguments as JSON">
          <h3>The same as JSON</h3>
          <JsonField
            id="args-json"
            label="Arguments as JSON"
            value={args}
            rows={Math.min(18, Math.max(6, JSON.stringify(args, null, 2).split('\n').length + 1))}
            onValid={setValid}
            onChange={(next) => change(isObject(next) ? next : {})}
          />
          {JSON.stringify(args).includes('"@clip-') && (
            <p class="hint">@clip-… stands for bytes of this page: a file, a recording, speech.</p>
          )}
        </section>
      </div>
      <div class="actions invoke-bar">
        <button type="submit" class="primary" disabled={!isValid}>
          Invoke <kbd>Ctrl+Enter</kbd>
        </button>
        <button type="button" onClick={() => run?.cancel()} disabled={!isRunningNow}>
          Cancel <kbd>Esc</kbd>
        </button>
        {method.kind === 'stream' && (
          <label class="check">
            <input
              type="checkbox"
              checked={inPieces}
              onChange={({ currentTarget }) => setInPieces(currentTarget.checked)}
            />
            in pieces
          </label>
        )}
        <label class="check">
          Timeout
          <input
            type="number"
            min="1"
            placeholder="60000"
            class="short"
            value={timeout ?? ''}
            onInput={({ currentTarget }) => setTimeout(currentTarget.valueAsNumber || undefined)}
          />
          ms
        </label>
      </div>
      {run ? <Result run={run} /> : <p class="card quiet">The result comes here.</p>}
    </form>
  )
}

function draftKey({ path }: Plugin, method: string): string {
  return `${path} ${method}`
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
