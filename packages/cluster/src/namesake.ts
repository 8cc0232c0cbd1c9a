import { readBeat } from './beat.js'
import { type Bus, isUndelivered } from './bus.js'
import { nameTaken, notAllowed } from './errors.js'
import type { Subjects } from './subjects.js'

/** How long another node of the same name may take to answer, in ms. */
const answerMs = 1000

/** @throws PluginError PLUGIN_NOT_READY where another node has the name; CALL_FORBIDDEN where NATS does not let this one ask. */
export function refuseNamesake(bus: Bus, subjects: Subjects, node: string, namespace: string): Promise<void> {
  const [asked, answers] = [subjects.whoIs(node), subjects.beat(node)]
  return new Promise<void>((resolve, reject) => {
    const subscription = bus.subscribe(answers, (message) => {
      if (isUndelivered(message)) settle()
      else if (readBeat(message.data)) settle(nameTaken(node, namespace))
    })
    const endChanges = bus.onChange((change) => {
      if (change.type === 'refused' && [asked, answers].includes(change.subject))
        settle(notAllowed(change.operation, change.subject))
    })
    const timer = setTimeout(() => settle(nameTaken(node, namespace, true)), answerMs)
    bus.publish(asked, new Uint8Array(), answers)

    function settle(error?: Error): void {
      clearTimeout(timer)
      endChanges()
      subscription.unsubscribe()
      if (error) reject(error)
      else resolve()
    }
  })
}
