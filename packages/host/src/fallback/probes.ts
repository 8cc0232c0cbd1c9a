import { encodeWav, isPluginError, PluginStatus } from '@appfactory/sdk'
import type { WireArgs } from '../options.js'
import { faultOf } from './faults.js'
import type { Member } from './member.js'
import type { FallbackSettings } from './options.js'

/** How long a probe may take where no time for an attempt is set, in ms. */
const probeMs = 10_000

/** A fifth of a second of silence. */
const silence = Buffer.from(encodeWav(new Int16Array(3200), { sampleRate: 16_000 })).toString('base64')

/** What shows of a shipped contract whether its engine works: little to do, and little to pay for. */
const shipped: Readonly<Record<string, { method: string; args: WireArgs }>> = {
  tts: { method: 'synthesize', args: { text: 'Yes.' } },
  stt: { method: 'transcribe', args: { audio_b64: silence } },
  llm: { method: 'complete', args: { prompt: 'Hi', max_tokens: 1 } },
  embedding: { method: 'embed', args: { texts: ['Yes.'] } },
}

/** Whether a plugin works, as far as its health and a call of the host’s own tell. */
export async function probe(member: Member, settings: FallbackSettings): Promise<boolean> {
  const { slot, isUp } = member
  if (!slot || !isUp) return false
  try {
    const { status } = await slot.health()
    if (status !== PluginStatus.READY && status !== PluginStatus.BUSY) return false
    const call = settings.probe ?? shipped[slot.contract?.name ?? '']
    const timeoutMs = settings.attemptTimeoutMs ?? probeMs
    if (call) await slot.call(call.method, member.argsOf(call.method, call.args ?? {}), { timeoutMs })
    return true
  } catch (error) {
    // An engine that finds fault with the probe is there.
    return isPluginError(error) && faultOf(error, settings.callerErrors) !== 'engine'
  }
}
