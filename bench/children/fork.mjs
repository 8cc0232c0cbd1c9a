import { audio } from './audio.mjs'

process.on('message', ({ id, text, bytes }) => process.send(bytes ? { id, audio } : { id, text }))
process.on('disconnect', () => process.exit(0))
