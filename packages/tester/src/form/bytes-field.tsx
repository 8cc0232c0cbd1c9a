import { useState } from 'preact/hooks'
import { type Recording, record, toWav } from '../audio/microphone.js'
import { Player } from '../audio/player.js'
import { addClip, clipOf, lastSpeech } from './clips.js'
import type { FieldProps } from './field.js'

/** Bytes: a file, a recording, or what a plugin has just said. */
export function BytesField({ id, value, onChange }: FieldProps) {
  const [recording, setRecording] = useState<Recording>()
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

  const take = (label: string, content: Uint8Array<ArrayBuffer>): void => onChange(addClip(label, content).id)

  const chooseFile = (file: File | undefined): Promise<void> =>
    attempt(async () => {
      if (!file) return
      const content = await file.arrayBuffer()
      const isSound = file.type.startsWith('audio/') || file.type.startsWith('video/')
      take(file.name, isSound ? await toWav(content) : new Uint8Array(content))
    })

  const toggleRecording = (): Promise<void> =>
    attempt(async () => {
      if (!recording) return setRecording(await record())
      setRecording(undefined)
      take('recording.wav', await recording.stop())
    })

  const speech = lastSpeech.value
  return (
    <div class="bytes">
      <div class="row">
        <input
          id={id}
          type="file"
          aria-describedby={`${id}-hint`}
          onChange={({ currentTarget }) => void chooseFile(currentTarget.files?.[0])}
        />
        <button type="button" class="small" onClick={() => void toggleRecording()} aria-pressed={!!recording}>
          {recording ? 'Stop recording' : 'Record'}
        </button>
        <button type="button" class="small" disabled={!speech} onClick={() => speech && onChange(speech.id)}>
          Use last speech
        </button>
      </div>
      {problem !== undefined && (
        <p class="problem" role="alert">
          {problem}. Choose a WAV file, or allow the microphone.
        </p>
      )}
      {clip && <Player content={clip.bytes} url={clip.url} label={clip.label} />}
    </div>
  )
}
