// A caller in a process of its own: it is frozen, or killed in the middle of what it does. Its arguments: name, seed, number of callers, servers.
import { Cluster } from '@appfactory/cluster'
import { Invariants } from '../invariants.mjs'
import { Random } from '../random.mjs'
import { ClusterTraffic } from './traffic.mjs'

const [name, seed, callers, nats] = process.argv.slice(2)
const cluster = await Cluster.connect({ nats, namespace: 'torture', caller: name })
const plugin = await cluster.get('trial')
const invariants = new Invariants(false)
// Here, nothing is known of faults: what is wrong are answers, and calls without one.
const excuses = (error) => error.codeName !== undefined
const random = new Random(Number(seed))
const traffic = new ClusterTraffic({
  plugin,
  prefix: name,
  callers: Number(callers),
  random,
  invariants,
  excuses,
})
traffic.start()
process.send('ready')
process.once('message', async () => {
  await traffic.rest()
  await cluster.close()
  const { made, ended, failed } = traffic
  process.send({ made, ended, failed: [...failed], broken: invariants.broken }, () => process.disconnect())
})
process.once('disconnect', () => process.exit())
