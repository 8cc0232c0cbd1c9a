import { useEffect, useRef, useState } from 'preact/hooks'
import { isPlainlyText } from '../audio/format.js'
import { type Recording, record, toWav } from '../audio/microphone.js'
import { Player } from '../audio/player.js'
import { addClip, type Clip, clipOf, lastSpeech } from './clips.js'
import type { FieldProps } from './field.js'

/** Bytes: a file, a recording, or what a plugin has just said. */
export function BytesField({ id, name, value, onChange }: FieldProps) {
  const file = useRef<HTMLInputElement>(null)
  const [problem, setProblem] = useState<string>()
  const clip = clipOf(value)

  async function attempt(work: () => Promise<void>): Promise<void> {
    setProblem(undefined)
    try {
      await work()
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error))
    }
  }

  /** Takes what is not from a file: then no file's name may stand there. */
  const take = ({ id: clipId }: Clip): void => {
    if (file.current) file.current.value = ''
    onChange(clipId)
  }

  const chooseFile = (chosen: File | undefined): Promise<void> =>
    attempt(async () => {
      if (!chosen) return
      const content = new Uint8Array(await chosen.arrayBuffer())
      if (name.startsWith('audio') && isPlainlyText(content))
        throw new Error(`${chosen.name} holds text, not sound`)
      const isSound = chosen.type.startsWith('audio/') || chosen.type.startsWith('video/')
      const bytes = isSound ? await toWav(content) : content
      const label = bytes === content ? chosen.name : wavNameOf(chosen.name)
      onChange(addClip(label, bytes).id)
    })

  const speech = lastSpeech.value
  return (
    <div class="bytes">
      <div class="row">
        <input
          id={id}
          ref={file}
          type="file"
          aria-describedby={`${id}-hint`}
          onChange={({ currentTarget }) => void chooseFile(currentTarget.files?.[0])}
        />
        <RecordButton attempt={attempt} onRecorded={(content) => take(addClip('recording.wav', content))} />
        <button type="button" class="small" disabled={!speech} onClick={() => speech && take(speech)}>
          Use last speech
        </button>
      </div>
      {problem !== undefined && (
        <p class="problem" role="alert">
          {problem}. Choose a WAV file, or allow the microphone.
        </p>
      )}
      {clip && <Player clip={clip} />}
    </div>
  )
}

interface RecordButtonProps {
  attempt(work: () => Promise<void>): Promise<void>
  onRecorded(content: Uint8Array<ArrayBuffer>): void
}

function RecordButton({ attempt, onRecorded }: RecordButtonProps) {
  const [recording, setRecording] = useState<Recording>()
  const held = useRef<Recording | undefined>(undefined)
  const isGone = useRef(false)

  // Who leaves the section must not be heard any longer, however far it had come.
  useEffect(
    () => () => {
      isGone.current = true
      held.current?.discard()
    },
    [],
  )

  const begin = async (): Promise<void> => {
    const begun = await record()
    if (isGone.current) return begun.discard()
    held.current = begun
    setRecording(begun)
  }
  const end = async (ending: Recording): Promise<void> => {
    setRecording(undefined)
    held.current = undefined
    onRecorded(await ending.stop())
  }
  return (
    <>
      <button
        type="button"
        class={`small ${recording ? 'recording' : ''}`}
        onClick={() => void attempt(() => (recording ? end(recording) : begin()))}
        aria-pressed={recording !== undefined}
      >
        {recording ? 'Stop recording' : 'Record'}
      </button>
      {recording && <Level recording={recording} />}
    </>
  )
}

/** How long and how loud a recording is. */
export function Level({ recording }: { recording: Recording }) {
  const [shown, setShown] = useState({ seconds: 0, level: 0 })
  useEffect(() => {
    const begun = performance.now()
    const timer = setInterval(() => {
      setShown({ seconds: (performance.now() - begun) / 1000, level: recording.level() })
    }, 100)
    return () => clearInterval(timer)
  }, [recording])
  return (
    <span class="level">
      <time>{shown.seconds.toFixed(1)} s</time>
      <meter min={0} max={1} value={shown.level} aria-label="Loudness" />
    </span>
  )
}

/** The name of a file whose sound has become a WAV file. */
function wavNameOf(name: string): string {
  return name.replace(/(\.\w+)?$/, '.wav')
}
