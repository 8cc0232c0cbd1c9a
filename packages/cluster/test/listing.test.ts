import { connect } from '@nats-io/transport-node'
import { expect, it } from 'vitest'
import { type Beat, beatBytes } from '../src/beat.js'
import { listNodes } from '../src/nodes.js'
import { subjectsOf } from '../src/subjects.js'
import { describeWithNats, startNatsServer } from './nats-server.js'

const namespace = 'test'

describeWithNats('listing nodes', () => {
  it('has a node that answers late, and one that only tells of itself', async () => {
    await using server = await startNatsServer()
    const busy = await connect({ servers: server.url })
    try {
      const { who, beat } = subjectsOf(namespace)
      // Later than a node that has time, and sooner than one that is gone.
      busy.subscribe(who, {
        callback: (_, { reply = '' }) => {
          setTimeout(() => {
            busy.publish(reply, beatBytes(beatOf('late')))
            busy.publish(beat('deaf'), beatBytes(beatOf('deaf')))
          }, 600)
        },
      })
      await busy.flush()
      const listed = await listNodes({ nats: server.url, namespace })
      expect(listed.map(({ node }) => node)).toEqual(['deaf', 'late'])
    } finally {
      await busy.close()
    }
  })
})

function beatOf(node: string): Beat {
  return {
    ...{ node, boot: node, sequence: 1, labels: {} },
    ...{ draining: false, leaving: false, protocolVersions: [2], plugins: [] },
  }
}
