import { PluginError } from '@appfactory/sdk'
import { fromErrorObject, protocolVersions, toErrorObject } from '@appfactory/sdk/internal'
import { z } from 'zod'
import { windowBytes } from './link-limits.js'
import { isName } from './subjects.js'

/** Of the frames of a link, and of what opens it. */
const linkVersion = 1

const window = z.int().min(windowBytes.least).max(windowBytes.most)
const windows = z.object({ lines: window, bytes: window })

/** What a caller opens a link with. Members that this version does not know are left out. */
const dial = z.object({
  linkVersion: z.int(),
  protocolVersions: z.array(z.int()).max(64),
  caller: z.string().refine(isName),
  /** Token of the link's subjects: nobody else can guess it. */
  link: z.string().regex(/^[0-9a-f]{32}$/),
  takes: windows,
  /** The run of the node that is meant: another node may have its name. Absent: any. */
  boot: z.string().max(64).optional(),
  /** Stands in each reference to raw bytes. */
  byteNonce: z.string().min(16).max(64),
})

const dialAnswer = z.union([
  z.object({ takes: windows, boot: z.string() }),
  z.object({ error: z.object({ code: z.int(), message: z.string(), data: z.unknown().optional() }) }),
])

export type Dial = z.infer<typeof dial>
export type DialAnswer = Exclude<z.infer<typeof dialAnswer>, { error: unknown }>

export function dialBytes(told: Omit<Dial, 'linkVersion' | 'protocolVersions'>): Uint8Array {
  return json({ linkVersion, protocolVersions, ...told })
}

/** Undefined for what is none: nobody knows then where an answer should go. */
export function readDial(bytes: Uint8Array): Dial | undefined {
  return dial.safeParse(parsed(bytes)).data
}

/** @throws PluginError PROTOCOL_VERSION_UNSUPPORTED */
export function checkVersions(node: string, told: Dial): void {
  const common = told.protocolVersions.some((version) => protocolVersions.includes(version))
  if (told.linkVersion === linkVersion && common) return
  throw new PluginError(
    'PROTOCOL_VERSION_UNSUPPORTED',
    `Node "${node}" speaks protocol ${protocolVersions.join(', ')} over links of version ${linkVersion}, and the caller protocol ${told.protocolVersions.join(', ')} over links of version ${told.linkVersion}. Update the older of the two`,
    { node },
  )
}

export function answerBytes(answer: DialAnswer): Uint8Array {
  return json(answer)
}

export function refusalBytes(error: PluginError): Uint8Array {
  return json({ error: toErrorObject(error) })
}

/** @throws PluginError Why the node refuses the link, or INTERNAL_ERROR for what is no answer. */
export function readAnswer(node: string, bytes: Uint8Array): DialAnswer {
  const { data } = dialAnswer.safeParse(parsed(bytes))
  if (data === undefined)
    throw new PluginError('INTERNAL_ERROR', `Node "${node}" answers what is no answer`, { node })
  if ('error' in data) throw fromErrorObject(data.error)
  return data
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'))
  } catch {
    return undefined
  }
}
