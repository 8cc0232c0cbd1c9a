/** The least of a FLAC encoder: mono, 16 kHz, 16 bits, each block as it is or, of silence, as one number. */
export function encodeFlac(blocks: readonly (Int16Array | { silence: number })[]): Buffer {
  const lengths = blocks.map((block) => (block instanceof Int16Array ? block.length : block.silence))
  const total = lengths.reduce((sum, length) => sum + length, 0)
  const frames = blocks.map((block, index) => frame(block, lengths[index] ?? 0, index))
  return Buffer.concat([streamInfo(Math.max(...lengths), total), ...frames])
}

function streamInfo(blockSize: number, samples: number): Buffer {
  const info = Buffer.alloc(42)
  info.write('fLaC', 'latin1')
  info.writeUInt32BE(0x8000_0022, 4)
  info.writeUInt16BE(blockSize, 8)
  info.writeUInt16BE(blockSize, 10)
  const packed = (16_000n << 44n) | (15n << 36n) | BigInt(samples)
  info.writeBigUInt64BE(packed, 18)
  return info
}

function frame(block: Int16Array | { silence: number }, length: number, index: number): Buffer {
  const number = [...Buffer.from(String.fromCodePoint(index), 'utf8')]
  const head = [0xff, 0xf8, 0x75, 0x08, ...number, (length - 1) >> 8, (length - 1) & 255]
  const samples = block instanceof Int16Array ? Buffer.from(block.slice().buffer).swap16() : Buffer.alloc(2)
  const subframe = block instanceof Int16Array ? 0x02 : 0x00
  const body = Buffer.from([...head, crc(head, 0x07, 8), subframe, ...samples])
  const check = crc(body, 0x8005, 16)
  return Buffer.concat([body, Buffer.from([check >> 8, check & 255])])
}

function crc(bytes: Iterable<number>, polynomial: number, bits: 8 | 16): number {
  let value = 0
  for (const byte of bytes) {
    value ^= byte << (bits - 8)
    for (let bit = 0; bit < 8; bit++)
      value =
        value & (1 << (bits - 1))
          ? ((value << 1) ^ polynomial) & (2 ** bits - 1)
          : (value << 1) & (2 ** bits - 1)
  }
  return value
}
