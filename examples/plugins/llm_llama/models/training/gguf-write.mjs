// weights.bin + vocab.json -> GGUF (llama arch). Usage: node gguf-write.mjs out.gguf [f32|f16|q8_0]
import { readFileSync, writeFileSync } from 'node:fs'

const V = 512,
  D = 96,
  H = 3,
  F = 256,
  L = 4,
  CTX = 256
const [, , out = 'tiny.gguf', type = 'f16'] = process.argv
const { vocab, score } = JSON.parse(readFileSync('train/vocab.json', 'utf8'))
const raw = readFileSync('train/weights.bin')
const P = new Float32Array(raw.buffer, raw.byteOffset, raw.length / 4)
let o = 0
const take = (n) => {
  o += n
  return P.subarray(o - n, o)
}
const tensors = []
const add = (name, dims, data, ty) => tensors.push({ name, dims, data, ty })
const big = type
add('token_embd.weight', [D, V], take(V * D), big)
for (let i = 0; i < L; i++) {
  const b = `blk.${i}.`
  add(`${b}attn_norm.weight`, [D], take(D), 'f32')
  for (const n of ['attn_q', 'attn_k', 'attn_v', 'attn_output'])
    add(`${b + n}.weight`, [D, D], take(D * D), big)
  add(`${b}ffn_norm.weight`, [D], take(D), 'f32')
  add(`${b}ffn_gate.weight`, [D, F], take(F * D), big)
  add(`${b}ffn_up.weight`, [D, F], take(F * D), big)
  add(`${b}ffn_down.weight`, [F, D], take(D * F), big)
}
add('output_norm.weight', [D], take(D), 'f32')
if (o !== P.length) throw new Error(`size ${o} ${P.length}`)
const f32b = new Float32Array(1),
  u32b = new Uint32Array(f32b.buffer)
const f16 = (v) => {
  f32b[0] = v
  const x = u32b[0],
    s = (x >>> 16) & 0x8000
  let e = ((x >>> 23) & 255) - 112,
    m = x & 0x7fffff
  if (e <= 0) {
    if (e < -10) return s
    m |= 0x800000
    const sh = 14 - e
    return s | ((m + (1 << (sh - 1))) >> sh)
  }
  if (e >= 31) return s | 0x7c00
  m += 0x1000
  if (m & 0x800000) {
    m = 0
    e++
  }
  return s | (e << 10) | (m >> 13)
}
const TY = { f32: 0, f16: 1, q8_0: 8 }
const pack = (t) => {
  const d = t.data
  if (t.ty === 'f32') return Buffer.from(Float32Array.from(d).buffer)
  if (t.ty === 'f16') return Buffer.from(Uint16Array.from(d, f16).buffer)
  const b = Buffer.alloc((d.length / 32) * 34)
  for (let i = 0, p = 0; i < d.length; i += 32, p += 34) {
    let mx = 0
    for (let k = 0; k < 32; k++) mx = Math.max(mx, Math.abs(d[i + k]))
    const q = mx / 127,
      iq = q ? 1 / q : 0
    b.writeUInt16LE(f16(q), p)
    for (let k = 0; k < 32; k++)
      b.writeInt8(Math.max(-127, Math.min(127, Math.round(d[i + k] * iq))), p + 2 + k)
  }
  return b
}
const parts = []
const w = (b) => parts.push(b)
const u32 = (n) => {
    const b = Buffer.alloc(4)
    b.writeUInt32LE(n)
    return b
  },
  u64 = (n) => {
    const b = Buffer.alloc(8)
    b.writeBigUInt64LE(BigInt(n))
    return b
  },
  fl = (n) => {
    const b = Buffer.alloc(4)
    b.writeFloatLE(n)
    return b
  }
const str = (s) => {
  const b = Buffer.from(s)
  return Buffer.concat([u64(b.length), b])
}
const kv = []
const K = (k, ty, v) => kv.push(Buffer.concat([str(k), u32(ty), v]))
const arr = (ty, n, b) => Buffer.concat([u32(ty), u64(n), b])
K('general.architecture', 8, str('llama'))
K('general.name', 8, str('tiny-talk-0.5M'))
K('general.license', 8, str('mit'))
K('general.file_type', 4, u32({ f32: 0, f16: 1, q8_0: 7 }[type]))
K('general.alignment', 4, u32(32))
K('general.quantization_version', 4, u32(2))
for (const [k, v] of Object.entries({
  context_length: CTX,
  embedding_length: D,
  block_count: L,
  feed_forward_length: F,
  'attention.head_count': H,
  'attention.head_count_kv': H,
  'rope.dimension_count': D / H,
  vocab_size: V,
}))
  K(`llama.${k}`, 4, u32(v))
K('llama.attention.layer_norm_rms_epsilon', 6, fl(1e-5))
K('llama.rope.freq_base', 6, fl(10000))
K('tokenizer.ggml.model', 8, str('llama'))
K('tokenizer.ggml.pre', 8, str('default'))
K('tokenizer.ggml.tokens', 9, arr(8, V, Buffer.concat(vocab.map(str))))
K('tokenizer.ggml.scores', 9, arr(6, V, Buffer.concat(score.map(fl))))
K(
  'tokenizer.ggml.token_type',
  9,
  arr(5, V, Buffer.concat(vocab.map((_, i) => u32(i === 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1)))),
)
K('tokenizer.ggml.bos_token_id', 4, u32(1))
K('tokenizer.ggml.eos_token_id', 4, u32(2))
K('tokenizer.ggml.unknown_token_id', 4, u32(0))
K('tokenizer.ggml.add_bos_token', 7, Buffer.from([1]))
K('tokenizer.ggml.add_eos_token', 7, Buffer.from([0]))
K('tokenizer.ggml.add_space_prefix', 7, Buffer.from([1]))
w(Buffer.from('GGUF'))
w(u32(3))
w(u64(tensors.length))
w(u64(kv.length))
kv.forEach(w)
let off = 0
const datas = tensors.map(pack)
tensors.forEach((t, i) => {
  w(str(t.name))
  w(u32(t.dims.length))
  for (const d of t.dims) w(u64(d))
  w(u32(TY[t.ty]))
  w(u64(off))
  off += Math.ceil(datas[i].length / 32) * 32
})
const head = Buffer.concat(parts),
  pad = (n) => Buffer.alloc((32 - (n % 32)) % 32)
const file = Buffer.concat([head, pad(head.length), ...datas.flatMap((d) => [d, pad(d.length)])])
writeFileSync(out, file)
console.log(out, type, file.length, 'bytes', tensors.length, 'tensors')
