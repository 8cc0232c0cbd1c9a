import { PluginError } from '@appfactory/sdk'
import { describeThrown } from '@appfactory/sdk/internal'
import type { KV, Kvm } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import type { NatsBus } from '../connection.js'
import type { Subjects } from '../subjects.js'
import type { DesiredStore, StoredChange, StoreState } from './store.js'

/** How long JetStream may take to answer, in ms. */
const timeoutMs = 2000

/** What a message of JetStream says of itself. */
interface Told {
  subject: string
  seq: number
  header: { get(name: string): string }
  data: Uint8Array
}

type Streams = Awaited<ReturnType<Kvm['js']['jetstreamManager']>>

/** The code of JetStream where something else was written last. */
const wrongLastSequence = 10071

/** A bucket of JetStream's key-value store. It is only asked: whoever may have messages delivered could have them sent anywhere. */
export class KvStore implements DesiredStore {
  readonly #bus: NatsBus
  readonly #subjects: Subjects
  readonly #kv: KV
  readonly #streams: Streams

  /**
   * Opens the bucket of a namespace, which need not be there.
   *
   * @param make Whether it is made where it is not there.
   * @throws PluginError DEPENDENCY_MISSING without the package; PLUGIN_NOT_READY where JetStream is off, or does not answer;
   *   CALL_FORBIDDEN where this user may not.
   */
  static async open(bus: NatsBus, subjects: Subjects, { make = false } = {}): Promise<KvStore> {
    const { Kvm } = await importKv()
    const kvm: Kvm = new Kvm(bus.connection)
    try {
      const streams = await kvm.js.jetstreamManager(false)
      if (make) await makeBucket(kvm, streams, bus.connection, subjects)
      const kv = await kvm.open(subjects.bucket, { allow_direct: true })
      return new KvStore(bus, subjects, kv, streams)
    } catch (error) {
      throw unusable(error, subjects.bucket)
    }
  }

  private constructor(bus: NatsBus, subjects: Subjects, kv: KV, streams: Streams) {
    this.#bus = bus
    this.#subjects = subjects
    this.#kv = kv
    this.#streams = streams
  }

  async state(): Promise<StoreState> {
    const { created, state } = await this.#ask(() => this.#streams.streams.info(this.#stream))
    return { id: String(created), last: state.last_seq }
  }

  async next(after: number): Promise<StoredChange | undefined> {
    const query = { seq: after + 1, next_by_subj: `${this.#prefix}>` }
    const found = await this.#ask(() => this.#streams.direct.getMessage(this.#stream, query))
    return found === null ? undefined : this.#change(found)
  }

  async get(key: string): Promise<StoredChange | undefined> {
    const query = { last_by_subj: `${this.#prefix}${key}` }
    const found = await this.#ask(() => this.#streams.direct.getMessage(this.#stream, query))
    return found === null ? undefined : this.#change(found)
  }

  put(key: string, data: Uint8Array, over: number): Promise<number | undefined> {
    return this.#write(key, () => this.#kv.put(key, data, { previousSeq: over, timeout: timeoutMs }))
  }

  async remove(key: string, over: number): Promise<boolean> {
    return (
      (await this.#write(key, () => this.#kv.delete(key, { previousSeq: over }).then(() => over))) !==
      undefined
    )
  }

  get #stream(): string {
    return `KV_${this.#subjects.bucket}`
  }

  get #prefix(): string {
    return `$KV.${this.#subjects.bucket}.`
  }

  async #write(key: string, write: () => Promise<number>): Promise<number | undefined> {
    try {
      const revision = await write()
      // Nodes look at once then, and otherwise from time to time.
      if (key.startsWith('plugins.')) this.#bus.publish(this.#subjects.desired, new Uint8Array())
      return revision
    } catch (error) {
      if (Reflect.get(Object(error), 'code') === wrongLastSequence) return undefined
      throw unusable(error, this.#subjects.bucket)
    }
  }

  async #ask<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    try {
      return await ask()
    } catch (error) {
      throw unusable(error, this.#subjects.bucket)
    }
  }

  #change({ subject, seq, header, data }: Told): StoredChange {
    const operation = header.get('KV-Operation')
    return {
      key: subject.slice(this.#prefix.length),
      ...{ data, revision: seq, isRemoved: operation === 'DEL' || operation === 'PURGE' },
    }
  }
}

/** Loads the client only where it is needed. */
async function importKv(): Promise<typeof import('@nats-io/kv')> {
  try {
    return await import('@nats-io/kv')
  } catch (error) {
    throw new PluginError(
      'DEPENDENCY_MISSING',
      `Desired state is kept in NATS by @nats-io/kv, which can’t be loaded: ${describeThrown(error).message}. Install it: npm install @nats-io/kv`,
      { package: '@nats-io/kv' },
      { cause: error },
    )
  }
}

/** Of several servers, three keep it, so that it stays while one of them is away. */
async function makeBucket(
  kvm: Kvm,
  streams: Streams,
  connection: NatsConnection,
  { bucket }: Subjects,
): Promise<void> {
  const isThere = await streams.streams.info(`KV_${bucket}`).then(
    () => true,
    (error: unknown) => {
      if (isNoStream(error)) return false
      throw error
    },
  )
  if (isThere) return
  const description = 'Plugins that App Factory keeps running, and who runs them'
  const create = (replicas: number) =>
    kvm.create(bucket, { history: 1, allow_direct: true, replicas, description })
  const isClustered = (connection.info?.cluster ?? '') !== ''
  // There may be only two of them.
  await (isClustered ? create(3).catch(() => create(1)) : create(1))
}

function isNoStream(error: unknown): boolean {
  return Reflect.get(Object(error), 'code') === 10059 || describeThrown(error).message === 'stream not found'
}

/** What JetStream's client throws, in our own words. */
function unusable(error: unknown, bucket: string): PluginError {
  const { message, name } = describeThrown(error)
  if (name === 'PermissionViolationError' || /permissions violation/i.test(message))
    return new PluginError(
      'CALL_FORBIDDEN',
      `NATS does not allow this user to use the bucket ${bucket}: ${message}. Use the credentials of an administrator, or write the server’s configuration again with appfactory-host nats-config`,
      { bucket },
    )
  if (isNoStream(error))
    return new PluginError(
      'PLUGIN_NOT_READY',
      `The bucket ${bucket} is not there: no plugin was loaded for the whole cluster so far. cluster.load() makes it`,
      { bucket, transient: true, absent: true },
    )
  if (name === 'JetStreamNotEnabled' || /jetstream (is )?not enabled|no responders/i.test(message))
    return new PluginError(
      'PLUGIN_NOT_READY',
      'JetStream is off on the NATS server, and desired state is kept there. Turn it on: nats-server -js, or jetstream {} in its configuration',
      { bucket, jetstream: false },
    )
  return new PluginError(
    'PLUGIN_NOT_READY',
    `JetStream does not answer for the bucket ${bucket}: ${message}. Look at the log of the NATS server, and try again`,
    { bucket, transient: true },
    { cause: error },
  )
}
