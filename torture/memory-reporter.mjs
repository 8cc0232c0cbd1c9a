// Loaded into a host that is tortured: answers how much memory it holds.
import { heapAfterCollection } from './memory.mjs'

process.on('message', () => process.send(heapAfterCollection()))
// Being asked must not keep the host from ending.
process.channel?.unref()
