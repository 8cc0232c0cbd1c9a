import { Problem } from '../parts/problem.js'
import { addressOf } from '../state/route.js'
import type { Role } from './candidates.js'
import { playAgain } from './conversation.js'
import { Timing } from './timing.js'
import type { Trouble, Turn } from './turn.js'

const states: Record<Turn['state'], string> = {
  listening: 'Listens…',
  hearing: 'Understands…',
  answering: 'Answers…',
  speaking: 'Speaks…',
  done: '',
  stopped: 'Stopped.',
}

/** What was said and answered, and when. */
export function TurnView({ turn }: { turn: Turn }) {
  const { id, state, said, answer, model, times, troubles, question, speech } = turn
  const isOver = state === 'done' || state === 'stopped'
  return (
    <li class="turn card" data-state={state} aria-label={`Turn ${id}`}>
      <div class="line">
        <b>You</b>
        <p class="said">{said || '…'}</p>
        {question.length > 0 && isOver && (
          <button type="button" class="small" onClick={() => void playAgain(question)}>
            Play <span class="hidden">what you said</span>
          </button>
        )}
      </div>
      {(answer !== '' || state !== 'done') && (
        <div class="line">
          <b>{model ?? 'Echo'}</b>
          <p class="answer">
            {answer} {states[state] !== '' && <span class="quiet">{states[state]}</span>}
          </p>
          {speech.length > 0 && isOver && (
            <button type="button" class="small" onClick={() => void playAgain(speech)}>
              Play <span class="hidden">the answer</span>
            </button>
          )}
        </div>
      )}
      {troubles.map((trouble) => (
        <Failure trouble={trouble} key={trouble.role} />
      ))}
      <Timing times={times} />
    </li>
  )
}

const failures: Record<Role, string> = {
  voice: 'could not speak',
  ears: 'could not understand you',
  model: 'could not answer',
}

/** Which plugin failed at what, and what to do. */
export function Failure({
  trouble: { role, plugin, error },
  what = failures[role],
}: {
  trouble: Trouble
  what?: string
}) {
  return (
    <div class="failure">
      <p>
        <a href={addressOf({ section: 'plugin', plugin })}>{plugin}</a> {what}.
      </p>
      <Problem error={error} />
    </div>
  )
}
