import { useRef } from 'preact/hooks'
import { sections } from '../state/route.js'

const keys: readonly (readonly [string, string])[] = [
  [`1 to ${sections.length}`, 'go to a section'],
  ['/', 'go to the filter of a log'],
  ['Ctrl+Enter', 'invoke the method that is shown'],
  ['Esc', 'cancel the call that is shown; once more, stop waiting for it'],
  ['?', 'show this list'],
]

/** The keys of the page. It opens with `?` too. */
export function Help() {
  const dialog = useRef<HTMLDialogElement>(null)
  return (
    <>
      <button type="button" class="small" aria-label="Keys" onClick={() => dialog.current?.showModal()}>
        ?
      </button>
      <dialog ref={dialog} id="help" aria-labelledby="help-title">
        <h2 id="help-title">Keys</h2>
        <dl class="facts">
          {keys.map(([key, what]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
        <p>
          docs/tester.md explains each section; <code>appfactory-host tester --help</code> lists the options.
        </p>
        <form method="dialog">
          <button type="submit">Close</button>
        </form>
      </dialog>
    </>
  )
}
