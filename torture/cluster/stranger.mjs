import { once } from 'node:events'
import { connect } from 'node:net'

/** A token of a link, as callers make it. */
const token = '0123456789abcdef0123456789abcdef'

const dial = {
  ...{ caller: 'torture', link: token, linkVersion: 9, protocolVersions: [99] },
  ...{ takes: { lines: 1024, bytes: 1024 }, byteNonce: token },
}

/** Says nonsense where a node and its callers talk, as a client of NATS that belongs to nobody. Resolves when all of it has arrived. */
export async function talkNonsense(port, node, random) {
  const subjects = [
    ...['who', `beat.${node}`, 'beat.nobody', `dial.trial.${node}`, `admin.${node}`],
    ...[`to.${node}.torture.${token}.f`, 'back.torture.x.f'],
  ]
  const lines = Array.from({ length: 42 }, (_, index) => {
    const word = nonsense(random)
    return `PUB af.torture.${subjects[index % subjects.length]} ${word.length}\r\n${word}\r\n`
  })
  const socket = connect(port, '127.0.0.1').setEncoding('latin1')
  socket.on('error', () => {})
  const answered = new Promise((resolve) => socket.on('data', (text) => text.includes('PONG') && resolve()))
  socket.write(`CONNECT {"verbose":false}\r\n${lines.join('')}PING\r\n`)
  // A server that is killed answers nobody.
  await Promise.race([answered, once(socket, 'close')])
  socket.destroy()
}

/** Each byte of it is one character. */
function nonsense(random) {
  const kind = random.whole(0, 4)
  if (kind === 0) return ''
  if (kind === 1) return JSON.stringify({ node: 'a', boot: 'x', sequence: -1, plugins: [{}] })
  if (kind === 2) return JSON.stringify(dial)
  const letters = Array.from({ length: random.whole(1, 400) }, () => random.whole(0, 127))
  return String.fromCharCode(...letters)
}
