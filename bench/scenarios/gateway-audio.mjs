import { percentile } from '../../scripts/lib/statistics.mjs'
import { startAudioGateway, startBareSound } from '../contenders/http.mjs'
import { callsPerSecond, elapsedMs } from '../measure.mjs'
import { startAll, stopAll } from '../rounds.mjs'

const group = 'gateway'
const starts = { gateway: startAudioGateway, bare: startBareSound }
/** Half a second. */
const piece = 12_000
const fileBytes = 25_000_000

/** Sound through the gateway, beside the host alone and node:http with as many bytes. */
export const gatewayAudioScenarios = [first(), replies(), uploads(), memory(), loop()]

function first() {
  return {
    group,
    name: 'gateway-first-sound',
    title: 'gateway: first bytes of speech, p50',
    unit: 'ms',
    targets: [
      { of: 'pcm', against: 'host.stream', difference: true, atMost: 5 },
      { of: 'mp3', against: 'host.stream', difference: true, atMost: 15 },
      { of: 'opus', against: 'host.stream', difference: true, atMost: 15 },
    ],
    open: opened(({ gateway }) => ({
      'host.stream': () => gateway.ask('firstPiece'),
      pcm: () => firstBytes(gateway, 'pcm'),
      mp3: () => firstBytes(gateway, 'mp3'),
      opus: () => firstBytes(gateway, 'opus'),
    })),
  }
}

function replies() {
  return {
    group,
    name: 'gateway-samples',
    title: 'gateway: 1 MiB of samples, 4 in flight',
    unit: 'answers/s',
    base: 'node:http',
    targets: [{ of: 'pcm', against: 'node:http', atLeast: 0.6 }],
    open: opened(({ gateway, bare }) => ({
      'node:http': () => callsPerSecond(() => mebibyte(bare.bytes()), 4),
      pcm: () => callsPerSecond(() => mebibyte(gateway.speak('pcm', `1 ${512 * 1024}`)), 4),
    })),
  }
}

function uploads() {
  return {
    group,
    name: 'gateway-uploads',
    title: 'gateway: files of 25 MB to a plugin',
    unit: 'files/s',
    base: 'node:http',
    targets: [{ of: 'transcription', against: 'node:http', atLeast: 0.5 }],
    open: opened(({ gateway, bare }) => {
      const file = wavOf(fileBytes)
      return {
        'node:http': () => callsPerSecond(() => whole(bare.upload(file)), 1),
        transcription: () => callsPerSecond(() => whole(gateway.upload(file)), 1),
      }
    }),
  }
}

function memory() {
  return {
    group,
    name: 'gateway-upload-memory',
    title: 'gateway: memory that a file of 25 MB takes, in files',
    unit: 'files',
    targets: [{ of: 'transcription', atMost: 3 }],
    open: opened(({ gateway }) => {
      const file = wavOf(fileBytes)
      return {
        transcription: async () => {
          await gateway.ask('watchMemory')
          await whole(gateway.upload(file))
          return (await gateway.ask('memory')) / fileBytes
        },
      }
    }),
  }
}

function loop() {
  return {
    group,
    name: 'gateway-loop',
    title: 'gateway: delay of the loop while 8 answers become MP3, p99',
    unit: 'ms',
    targets: [{ of: '8 answers', atMost: 20 }],
    open: opened(({ gateway }) => ({
      '8 answers': async () => {
        await gateway.ask('watchLoop')
        await Promise.all(Array.from({ length: 8 }, () => whole(gateway.speak('mp3', `20 ${piece}`))))
        return gateway.ask('loopDelay')
      },
    })),
  }
}

function opened(measuresOf) {
  return async () => {
    const started = await startAll(starts)
    return { measures: measuresOf(started), close: () => stopAll(started) }
  }
}

async function firstBytes(gateway, format) {
  const times = []
  for (let count = 0; count < 60; count++) {
    let rest
    times.push(
      await elapsedMs(async () => {
        rest = (await gateway.speak(format, `1 ${piece}`))[Symbol.asyncIterator]()
        await rest.next()
      }),
    )
    while (!(await rest.next()).done);
  }
  return percentile(times, 0.5)
}

async function mebibyte(answer) {
  const bytes = await whole(answer)
  if (bytes !== 1024 * 1024) throw new Error(`An answer has ${bytes} bytes, not 1 MiB`)
}

/** Reads an answer to its end; how long it is. */
async function whole(answer) {
  const response = await answer
  let bytes = 0
  for await (const part of response) bytes += part.length
  if (response.statusCode !== 200) throw new Error(`The answer is ${response.statusCode}`)
  return bytes
}

/** Silence at 16 kHz. */
function wavOf(bytes) {
  const file = Buffer.alloc(bytes)
  file.write('RIFF', 0, 'latin1')
  file.writeUInt32LE(bytes - 8, 4)
  file.write('WAVEfmt ', 8, 'latin1')
  file.writeUInt32LE(16, 16)
  file.writeUInt16LE(1, 20)
  file.writeUInt16LE(1, 22)
  file.writeUInt32LE(16_000, 24)
  file.writeUInt32LE(32_000, 28)
  file.writeUInt16LE(2, 32)
  file.writeUInt16LE(16, 34)
  file.write('data', 36, 'latin1')
  file.writeUInt32LE(bytes - 44, 40)
  return file
}
