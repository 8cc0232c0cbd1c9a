/**
 * Makes a check sum that takes each byte from its highest bit on, as Ogg and FLAC have them.
 *
 * @param polynomial Without its highest term.
 */
export function crcOf(bits: 8 | 16 | 32, polynomial: number): (bytes: Uint8Array) => number {
  // Any length is computed in the upper bits of 32.
  const spare = 32 - bits
  const table = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << 24
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000_0000 ? (crc << 1) ^ (polynomial << spare) : crc << 1
    return crc
  })
  return (bytes) => {
    let crc = 0
    for (const byte of bytes) crc = (crc << 8) ^ (table[((crc >>> 24) ^ byte) & 0xff] ?? 0)
    return crc >>> spare
  }
}
