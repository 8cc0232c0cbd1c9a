import { signal } from '@preact/signals'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { JsonObject, Method, Plugin } from '../api/types.js'
import { Choices } from '../form/choices.js'
import { clipsIn } from '../form/clips.js'
import { Fields } from '../form/form.js'
import { JsonField } from '../form/json-field.js'
import { requiredValues } from '../form/schema.js'
import { NumberInput } from '../parts/number-input.js'
import { Problem } from '../parts/problem.js'
import { Status } from '../parts/status.js'
import { useValidForm } from '../parts/use-valid-form.js'
import { loadJobOf, useRunningConfig, withoutDefaults } from '../state/configs.js'
import { connected } from '../state/events.js'
import { isRunning, useDescription } from '../state/plugins.js'
import { NotLoaded } from '../views/not-loaded.js'
import { choicesOf } from './choices.js'
import { chooseMethod, chosenMethod, isImplemented } from './chosen.js'
import { hasAnswers, newConversation, nextTurn } from './conversation.js'
import { draftKey, drafts } from './drafts.js'
import { History } from './history.js'
import { Result } from './result.js'
import { begin, history, type Invocation, type Run } from './run.js'

const shownRun = signal<number | undefined>(undefined)

/** The Method Invoker: choose a method, fill it in as a form or as JSON, see what comes of it. */
export function Invoker({ plugin }: { plugin: Plugin }) {
  const { description, error } = useDescription(plugin)
  if (!isRunning(plugin) || loadJobOf(plugin).isRunning)
    return <NotLoaded plugin={plugin} purpose="to call its methods" />
  if (error !== undefined) return <Problem error={error} />
  if (!description) return <p class="quiet">Asking {plugin.name} for its methods…</p>
  return <Methods plugin={plugin} methods={description.methods} />
}

function Methods({ plugin, methods }: { plugin: Plugin; methods: readonly Method[] }) {
  const method = chosenMethod(plugin, methods)
  const edit = ({ method: { name }, args }: Invocation): void => {
    // A copy, so that the form notices even where it has the same values.
    drafts.set(draftKey(plugin, name), { ...args })
    edits.value += 1
    chooseMethod(plugin, name)
  }
  const choices = useMemo(() => choicesOf(plugin, methods), [plugin, methods])
  if (!method) return <p>{plugin.name} has no methods.</p>
  return (
    <Choices.Provider value={choices}>
      <header class="title">
        <h2>{plugin.name}</h2>
        <Status status={plugin.status} />
      </header>
      <fieldset class="chips" aria-label="Methods">
        {methods.map((each) => (
          <MethodChip
            key={each.name}
            method={each}
            isChosen={each.name === method.name}
            isImplemented={isImplemented(plugin, each)}
            onChoose={() => chooseMethod(plugin, each.name)}
          />
        ))}
      </fieldset>
      <Call plugin={plugin} method={method} key={`${method.name} ${edits.value}`} />
      <History plugin={plugin.name} onEdit={edit} onShow={(id) => (shownRun.value = id)} />
    </Choices.Provider>
  )
}

/** Counts what came into the form from elsewhere: it then begins anew. */
const edits = signal(0)

interface MethodChipProps {
  method: Method
  isChosen: boolean
  isImplemented: boolean
  onChoose(): void
}

function MethodChip({ method: { name, kind }, isChosen, isImplemented, onChoose }: MethodChipProps) {
  return (
    <button type="button" aria-pressed={isChosen} disabled={!isImplemented} onClick={onChoose}>
      {name}
      {!isImplemented && <span class="tag">not implemented</span>}
      {isImplemented && kind === 'stream' && <span class="tag">stream</span>}
    </button>
  )
}

function Call({ plugin, method }: { plugin: Plugin; method: Method }) {
  const key = draftKey(plugin, method.name)
  const form = useRef<HTMLFormElement>(null)
  const [args, setArgs] = useState(() => drafts.get(key) ?? requiredValues(method.args, method.args))
  const [isJsonValid, setJsonValid] = useState(true)
  const [timeout, setTimeout] = useState<number>()
  const [inPieces, setInPieces] = useState(true)
  const config = useRunningConfig(plugin)
  const validity = useValidForm()
  const own = history.value.filter(
    ({ invocation }) => invocation.plugin === plugin.name && invocation.method.name === method.name,
  )
  const run = own.find(({ id }) => id === shownRun.value) ?? own[0]
  const canInvoke = isJsonValid && connected.value !== false

  const change = (next: JsonObject): void => {
    drafts.set(key, next)
    setArgs(next)
  }
  const invoke = (): void => {
    if (!canInvoke || !form.current || !validity.check(form.current)) return
    shownRun.value = begin({
      plugin: plugin.name,
      pluginsDir: plugin.path.replace(/[\\/][^\\/]+$/, ''),
      method,
      args,
      config: config && withoutDefaults(plugin, config),
      timeout,
      inPieces,
    })
  }
  useCallKeys(run, invoke)

  // A conversation goes on, unless somebody has written something else meanwhile.
  useEffect(() => {
    const next = run?.state === 'done' && run.invocation.args === args ? nextTurn(run) : undefined
    if (!next) return
    change(next)
    requestAnimationFrame(() => focusLastTurn(form.current))
  }, [run?.id, run?.state])

  return (
    <form
      class="call"
      ref={form}
      {...validity.props}
      onSubmit={(event) => {
        event.preventDefault()
        invoke()
      }}
    >
      <p class="quiet">{method.description}</p>
      <div class="columns">
        <section class="card arguments" aria-label="Arguments">
          <div class="result-head">
            <h3>Arguments</h3>
            {hasAnswers(args) && (
              <button type="button" class="small" onClick={() => change(newConversation(args, method.args))}>
                New conversation
              </button>
            )}
          </div>
          <Fields schema={method.args} root={method.args} value={args} onChange={change} />
          <ArgumentsAsJson method={method} args={args} onChange={change} onValid={setJsonValid} />
          <div class="actions invoke-bar">
            <button type="submit" class="primary" disabled={!canInvoke}>
              Invoke <kbd>Ctrl+Enter</kbd>
            </button>
            <CancelButton run={run} />
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
            <span class="check">
              <label for="timeout">Timeout</label>
              <NumberInput
                id="timeout"
                min="1"
                placeholder="60000"
                class="short"
                value={timeout}
                onChange={setTimeout}
              />
              ms
            </span>
            {validity.trouble !== undefined && (
              <p class="problem" role="alert">
                Not called. {validity.trouble}
              </p>
            )}
          </div>
        </section>
        {run ? <Result run={run} key={run.id} /> : <p class="card quiet no-result">The result comes here.</p>}
      </div>
    </form>
  )
}

interface ArgumentsProps {
  method: Method
  args: JsonObject
  onChange(args: JsonObject): void
  onValid(isValid: boolean): void
}

function ArgumentsAsJson({ method, args, onChange, onValid }: ArgumentsProps) {
  const lines = JSON.stringify(args, null, 2).split('\n').length
  return (
    <section class="property" aria-label="Arguments as JSON">
      <h4 class="label">The same as JSON</h4>
      <JsonField
        id="args-json"
        label="Arguments as JSON"
        value={args}
        isObject
        rows={Math.min(14, Math.max(4, lines + 1))}
        onValid={onValid}
        onChange={(next) => onChange(next as JsonObject)}
      />
      {clipsIn(args, method.args).length > 0 && (
        <p class="hint">@clip-… stands for bytes of this page: a file, a recording, speech.</p>
      )}
    </section>
  )
}

function CancelButton({ run }: { run: Run | undefined }) {
  const isRunningNow = run?.state === 'running'
  const isAsked = isRunningNow && run.cancelAskedAt !== undefined
  return (
    <button type="button" onClick={() => run?.cancel()} disabled={!isRunningNow} title="Escape">
      {isAsked ? 'Stop waiting' : 'Cancel'}
    </button>
  )
}

/** Whoever typed the last turn goes on typing. */
function focusLastTurn(form: HTMLFormElement | null): void {
  const { activeElement } = document
  if (activeElement === document.body || form?.contains(activeElement))
    form?.querySelector<HTMLElement>('.turn:last-of-type textarea')?.focus()
}

/** Ctrl+Enter invokes and Escape cancels, wherever the focus is: what is shown as running can be cancelled at once. */
function useCallKeys(run: Run | undefined, invoke: () => void): void {
  const newest = useRef({ run, invoke })
  newest.current = { run, invoke }
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      const { run, invoke } = newest.current
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
        event.preventDefault()
        invoke()
      } else if (event.key === 'Escape' && run?.state === 'running') run.cancel()
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [])
}
