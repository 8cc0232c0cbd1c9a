import { CallError } from '../api/rpc.js'
import { errorRow } from '../state/plugins.js'
import { addressOf } from '../state/route.js'

/** An error: code, name, what happened, what to do next. */
export function Problem({ error }: { error: unknown }) {
  const { message, code, data } = asCallError(error)
  const row = errorRow(code)
  return (
    <div class="problem-card" role="alert">
      <p class="problem-title">
        {row ? row.name : 'Error'}
        {code !== undefined && <span class="quiet"> {code}</span>}
      </p>
      <p>{message}</p>
      {row && (
        <p>
          <b>What to do:</b> {row.advice}{' '}
          {/\blogs?\b/.test(row.advice) && <a href={addressOf({ section: 'logs' })}>See the logs</a>}
        </p>
      )}
      {data !== undefined && data !== null && (
        <details class="fold">
          <summary>Details</summary>
          <pre class="code">{JSON.stringify(data, null, 2)}</pre>
        </details>
      )}
    </div>
  )
}

function asCallError(error: unknown): CallError {
  return error instanceof CallError
    ? error
    : new CallError(error instanceof Error ? error.message : String(error))
}
