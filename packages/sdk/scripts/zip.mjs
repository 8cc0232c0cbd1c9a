// Writes zip files. The same entries make the same bytes: no times, no owners, in the order given.
import { crc32, deflateRawSync } from 'node:zlib'

/** 1 January 1980, the earliest date that a zip file can name. */
const date = (1 << 5) | 1
/** Made by 2.0 on Unix: without it, the permissions are not read. */
const madeBy = (3 << 8) | 20
const permissions = 0o100644
const namesAreUtf8 = 1 << 11

/** A zip file as bytes. Each entry is `{ path, bytes }`, with `/` in the path. */
export function zip(entries) {
  const files = entries.map(compressed)
  let offset = 0
  const directory = files.map((file) => {
    const header = directoryHeader(file, offset)
    offset += file.local.length + file.data.length
    return header
  })
  const size = directory.reduce((sum, { length }) => sum + length, 0)
  return Buffer.concat([
    ...files.flatMap(({ local, data }) => [local, data]),
    ...directory,
    endRecord(files.length, size, offset),
  ])
}

function compressed({ path, bytes }) {
  const name = Buffer.from(path)
  const data = deflateRawSync(bytes, { level: 9 })
  const shared = Buffer.concat([
    ...[20, namesAreUtf8, 8, 0, date].map(twoBytes),
    ...[crc32(bytes), data.length, bytes.length].map(fourBytes),
    ...[name.length, 0].map(twoBytes),
  ])
  return { name, data, shared, local: Buffer.concat([fourBytes(0x04034b50), shared, name]) }
}

function directoryHeader({ name, shared }, offset) {
  return Buffer.concat([
    fourBytes(0x02014b50),
    twoBytes(madeBy),
    shared,
    ...[0, 0, 0].map(twoBytes),
    ...[permissions * 2 ** 16, offset].map(fourBytes),
    name,
  ])
}

function endRecord(count, size, offset) {
  return Buffer.concat([
    fourBytes(0x06054b50),
    ...[0, 0, count, count].map(twoBytes),
    ...[size, offset].map(fourBytes),
    twoBytes(0),
  ])
}

function twoBytes(number) {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(number)
  return bytes
}

function fourBytes(number) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(number)
  return bytes
}
