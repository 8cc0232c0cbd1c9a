import { draw } from './picture.js'
import { Speaker } from './speaker.js'

const [button, state, level, turns, summary, picture] = [
  'start',
  'state',
  'level',
  'turns',
  'summary',
  'picture',
].map((id) => document.getElementById(id))

/** What is open while one talks. */
let talk
/** The times of the last turn, in ms. */
let times = {}
/** Items of earlier turns: what still comes of them was sent before the gateway knew. */
let past = new Set()
/** The lines of what was said, by the id of the item. */
const lines = new Map()

button.addEventListener('click', () => (talk ? stop('The microphone is off.') : start()))

async function start() {
  button.disabled = true
  try {
    const microphone = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true },
    })
    // One rate for both directions: the browser converts.
    const context = new AudioContext({ sampleRate: 24_000 })
    await context.audioWorklet.addModule('microphone.js')
    const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/v1/realtime`, ['realtime'])
    talk = { microphone, context, socket, speaker: new Speaker(context) }
    socket.addEventListener('open', () => listen(talk))
    socket.addEventListener('message', ({ data }) => take(JSON.parse(data)))
    socket.addEventListener('close', ({ reason }) => {
      if (talk?.socket === socket) stop(`The gateway has ended the conversation. ${reason}`)
    })
    button.textContent = 'Stop'
  } catch (error) {
    stop(`The microphone can’t be used: ${error.message}. Allow it for this page, and start again.`)
  }
  button.disabled = false
}

function listen({ microphone, context, socket }) {
  send({ type: 'session.update', session: { type: 'realtime', max_output_tokens: 120 } })
  const node = new AudioWorkletNode(context, 'microphone')
  node.port.addEventListener('message', ({ data }) => {
    if (socket.readyState !== WebSocket.OPEN) return
    send({
      type: 'input_audio_buffer.append',
      audio: btoa(String.fromCharCode(...new Uint8Array(data.buffer))),
    })
    level.value = Math.min(1, data.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0) / 0x7fff)
  })
  node.port.start()
  context.createMediaStreamSource(microphone).connect(node)
  state.textContent = 'Listening: say something.'
}

function stop(why) {
  const ended = talk
  talk = undefined
  ended?.speaker.stop()
  ended?.socket.close()
  for (const track of ended?.microphone.getTracks() ?? []) track.stop()
  void ended?.context.close()
  level.value = 0
  button.textContent = 'Start talking'
  state.textContent = why
}

function send(event) {
  talk?.socket.send(JSON.stringify(event))
}

const events = {
  'input_audio_buffer.speech_started': () => {
    interrupt()
    show()
    past = new Set(lines.keys())
    times = { heard: [performance.now(), performance.now()] }
    state.textContent = 'Somebody speaks…'
  },
  'input_audio_buffer.speech_stopped': () => {
    if (times.heard) times.heard[1] = performance.now()
    state.textContent = 'Thinking…'
  },
  'conversation.item.input_audio_transcription.completed': ({ item_id, transcript }) => {
    if (transcript !== '') line(item_id, 'you', 'You').textContent = transcript
    else state.textContent = 'Listening: say something.'
  },
  'response.output_audio_transcript.delta': ({ item_id, delta }) => {
    if (past.has(item_id)) return
    times.written = [times.written?.[0] ?? performance.now(), performance.now()]
    line(item_id, 'plugin', 'Plugin').textContent += delta
  },
  'response.output_audio.delta': ({ item_id, delta }) => {
    if (past.has(item_id)) return
    talk?.speaker.play(item_id, delta)
    const now = performance.now()
    times.spoken = [times.spoken?.[0] ?? now, now + (talk?.speaker.leftMs ?? 0)]
    document.body.dataset.sounds = Number(document.body.dataset.sounds ?? 0) + 1
    state.textContent = 'Speaking. Speak to interrupt.'
  },
  'response.done': () => show(),
  error: ({ error }) => {
    line(`error-${lines.size}`, 'problem', 'Problem').textContent = error.message
  },
}

function take(event) {
  events[event.type]?.(event)
}

/** Falls silent, and has the gateway forget what nobody has heard. */
function interrupt() {
  const cut = talk?.speaker.stop()
  if (!cut) return
  if (times.spoken) times.spoken[1] = performance.now()
  lines.get(cut.itemId)?.parentElement.classList.add('interrupted')
  send({
    type: 'conversation.item.truncate',
    item_id: cut.itemId,
    content_index: 0,
    audio_end_ms: cut.heardMs,
  })
}

/** The text of an item in the list. */
function line(itemId, kind, who) {
  const known = lines.get(itemId)
  if (known) return known
  const [row, name, text] = ['li', 'b', 'span'].map((tag) => document.createElement(tag))
  row.className = kind
  name.textContent = who
  row.append(name, text)
  turns.append(row)
  turns.scrollTop = turns.scrollHeight
  lines.set(itemId, text)
  return text
}

function show() {
  const { heard, written, spoken } = times
  if (!heard || !written) return
  draw(picture, times)
  const after = ([at] = []) => (at === undefined ? 'never' : `${Math.round(at - heard[1])} ms`)
  summary.textContent = `After you stopped: first word ${after(written)}, first sound ${after(spoken)}.`
}
