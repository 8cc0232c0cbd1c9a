const rate = 8000
const unitFrames = rate * 0.06
/** S O S, in units of sound (positive) and silence (negative). */
const sos = [1, -1, 1, -1, 1, -3, 3, -1, 3, -1, 3, -3, 1, -1, 1, -1, 1, -3]

/** A WAV file, 8 bits a sample, that says SOS in Morse code at twenty words a minute. */
export function morseSample(): Uint8Array {
  const samples = sos.flatMap((units) => tone(Math.abs(units) * unitFrames, units > 0))
  const header = new DataView(new ArrayBuffer(44))
  const ascii = (offset: number, text: string): void => {
    for (let index = 0; index < text.length; index++) header.setUint8(offset + index, text.charCodeAt(index))
  }
  ascii(0, 'RIFF')
  header.setUint32(4, 36 + samples.length, true)
  ascii(8, 'WAVEfmt ')
  header.setUint32(16, 16, true)
  header.setUint16(20, 1, true)
  header.setUint16(22, 1, true)
  header.setUint32(24, rate, true)
  header.setUint32(28, rate, true)
  header.setUint16(32, 1, true)
  header.setUint16(34, 8, true)
  ascii(36, 'data')
  header.setUint32(40, samples.length, true)
  return Uint8Array.from([...new Uint8Array(header.buffer), ...samples])
}

/** 500 Hz: a whole number of periods in a unit, so that nothing clicks. */
function tone(frames: number, sounds: boolean): number[] {
  const sample = (frame: number): number =>
    Math.round(128 + 60 * Math.sin((2 * Math.PI * 500 * frame) / rate))
  return Array.from({ length: frames }, (_, frame) => (sounds ? sample(frame) : 128))
}
