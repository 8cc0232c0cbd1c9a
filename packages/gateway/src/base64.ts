import { wrongMember } from './errors.js'

/** The bytes of a member in base64, also as URLs have it, and with line ends. @throws RequestError 400. */
export function bytesOfBase64(base64: string, path: string): Uint8Array {
  // base64(1) and programs for mail put in line ends.
  const text = base64.includes('\n') ? base64.replace(/[\r\n]+/g, '') : base64
  const digits = text.length - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0)
  if (digits % 4 === 1 || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw wrongMember(path, 'must be base64')
  return new Uint8Array(Buffer.from(text, 'base64'))
}
