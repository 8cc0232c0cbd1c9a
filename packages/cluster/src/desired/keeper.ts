import { ErrorCodes } from '@appfactory/sdk'
import type { Beat, DesiredOnNode } from '../beat.js'
import { maxWhy } from '../beat.js'
import { desiredOn } from '../directory.js'
import { Followed, type FollowedRecord } from './followed.js'
import { KeptPlugins } from './kept-plugins.js'
import type { LocalPlugins, Obstacle } from './local-plugins.js'
import { type PlacementNode, type Plan, planOf } from './placement.js'
import { type DesiredRecord, type Labels, missingLabel, runsTheSame } from './record.js'
import type { DesiredStore } from './store.js'

export interface KeeperOptions {
  node: string
  /** Of this run of the node. */
  boot: string
  labels: Labels
  /** How many processes it may have of all that is wanted. */
  room: number
  /** How long a plugin with state may run without word from the store, in ms. */
  leaseMs: number
  store(): Promise<DesiredStore>
  local: LocalPlugins
  /** What other nodes have told last. Undefined: nothing can be heard at the moment. */
  others(): readonly Beat[] | undefined
  /** What this node tells is another thing now. */
  changed(): void
  /** Nobody may be answered by a plugin any more. */
  onLost(plugin: string): void
  /** Takes what operators of the node should know. */
  warn(message: string): void
}

/** Times in ms. */
const times = {
  /** Between two looks at what has changed. */
  decide: 250,
  /** Between two looks at the store, if nobody says that it has changed. */
  look: 2000,
  /** Between two looks into the plugins folders. */
  inspect: 5000,
  /** How long others have to tell what they make of a record. */
  agree: 3000,
  /** How long a node waits for the others to be heard. */
  begin: 1200,
  /** How long a node has been there before it takes over what runs elsewhere. */
  settle: 10_000,
} as const

/** Keeps running what is wanted, as far as it is the part of this node. All nodes do the same, and none leads. */
export class Keeper {
  readonly #options: KeeperOptions
  readonly #followed = new Followed()
  readonly #kept: KeptPlugins
  /** Why what lies here can't be loaded, by plugin. */
  readonly #obstacles = new Map<string, Obstacle | undefined>()
  readonly #begun = performance.now()
  #plan: Plan = new Map()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #isStale = true
  #lookedAt = Number.NEGATIVE_INFINITY
  #inspectedAt = Number.NEGATIVE_INFINITY
  #told = ''
  #problem: string | undefined
  #isOver = false

  constructor(options: KeeperOptions) {
    this.#options = options
    const { node, boot, leaseMs, local, store, onLost } = options
    const leaseOf = (plugin: string) => this.#followed.leases.get(plugin)
    const isWanted = (plugin: string) => this.#followed.records.get(plugin)?.record !== undefined
    this.#kept = new KeptPlugins({ node, boot, leaseMs, local, store, onLost, isWanted, leaseOf })
  }

  begin(): void {
    this.#timer = setInterval(() => this.#tick(), times.decide).unref()
    this.#tick()
  }

  /** The store has changed. */
  nudge(): void {
    this.#isStale = true
    this.#tick()
  }

  /** Whether callers may be answered by a plugin. */
  mayServe(plugin: string): boolean {
    return this.#kept.mayServe(plugin)
  }

  /** What this node tells of itself. */
  told(): NonNullable<Beat['desired']> {
    const plugins = [...this.#followed.records].flatMap(
      ([name, followed]) => this.#tellOf(name, followed) ?? [],
    )
    return { room: this.#options.room, sinceMs: Math.round(performance.now() - this.#begun), plugins }
  }

  /** Begins and ends nothing any more. What runs goes on. */
  pause(): void {
    this.#isOver = true
    clearInterval(this.#timer)
  }

  /** Unloads what it has started, and gives its leases back. */
  async end(): Promise<void> {
    this.pause()
    await this.#kept.end()
  }

  #tick(): void {
    if (this.#isOver) return
    const now = performance.now()
    if (this.#isStale || now - this.#lookedAt >= times.look)
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined
        this.#decide()
      })
    this.#decide()
  }

  async #look(): Promise<void> {
    this.#isStale = false
    this.#lookedAt = performance.now()
    await this.#followed.look(this.#options.store)
    const { problem } = this.#followed
    if (problem !== undefined && problem !== this.#problem) this.#options.warn(`desired state: ${problem}`)
    this.#problem = problem
    await this.#inspect()
  }

  /** Looks whether what is wanted lies here, where that may have changed. */
  async #inspect(): Promise<void> {
    const { local } = this.#options
    const { records, changed } = this.#followed
    const isDue = performance.now() - this.#inspectedAt >= times.inspect
    if (isDue) this.#inspectedAt = performance.now()
    const obstacles = new Map<string, Obstacle | undefined>()
    for (const [name, { record }] of new Map([...(isDue ? records : []), ...changed]))
      if (record) obstacles.set(name, await local.obstacle(name, record.version))
    for (const name of changed.keys()) this.#kept.forgive(name)
    this.#followed.accept()
    for (const [name, obstacle] of obstacles) if (records.has(name)) this.#obstacles.set(name, obstacle)
  }

  #decide(): void {
    const others = this.#options.others()
    const now = performance.now()
    if (this.#isOver || !others || now - this.#begun < times.begin) return
    const known = [...this.#followed.records].filter(([name]) => this.#successorOf(name) === undefined)
    this.#handOver()
    const nodes = [this.#self(), ...others.flatMap((beat) => placementNode(beat) ?? [])]
    this.#plan = planOf(
      known.flatMap(([name, { record }]) => (record ? [{ name, replicas: record.replicas }] : [])),
      nodes,
    )
    for (const [name, followed] of known) {
      followed.isAgreed ||=
        now - followed.seenAt >= times.agree || haveTold(name, generationOf(followed), others)
      if (followed.isAgreed || followed.isRemoved) this.#aim(name, followed, others)
    }
    this.#tell()
  }

  /** What an administrator has swapped for another plugin is that one from now on. */
  #handOver(): void {
    for (const name of this.#kept.names) {
      const successor = this.#successorOf(name)
      const record = successor === undefined ? undefined : this.#followed.records.get(successor)?.record
      if (successor !== undefined && record) this.#kept.succeed(name, successor, record)
    }
  }

  /** The plugin that a plugin was swapped for, if that one is wanted in its place and can run here. */
  #successorOf(name: string): string | undefined {
    const followed = this.#followed.records.get(name)
    const kept = this.#kept.recordOf(name)
    if (!kept && (followed?.isRemoved ?? true)) return undefined
    const generation = kept ? (kept.generation ?? 0) : followed ? generationOf(followed) : 0
    const swapped = [...this.#followed.records].find(
      ([other, { record }]) =>
        record?.replaces?.name === name &&
        generation <= record.replaces.generation &&
        this.#obstacles.get(other) === undefined &&
        this.#kept.failure(other) === undefined &&
        !(kept && this.#kept.has(other)),
    )?.[0]
    return swapped ?? (followed?.record ? undefined : this.#heirOf(name))
  }

  /** What an administrator has swapped it for on this node, in several steps, if that is wanted. */
  #heirOf(name: string): string | undefined {
    if (!this.#kept.has(name)) return undefined
    const today = this.#options.local.nameToday(name)
    const isWanted = this.#followed.records.get(today)?.record !== undefined
    return today !== name && isWanted && !this.#kept.has(today) ? today : undefined
  }

  /** The plugin that runs here under that name since it was swapped, without being that one. */
  #namesake(name: string): string | undefined {
    const { local } = this.#options
    return this.#kept.names.find((each) => each !== name && local.nameToday(each) === name)
  }

  #aim(name: string, { record, isRemoved }: FollowedRecord, others: readonly Beat[]): void {
    if (isRemoved) {
      this.#kept.aim(name, undefined, 0)
      if (!this.#kept.has(name) && !this.#kept.isWorking(name)) this.#forget(name)
      return
    }
    // Without a record that can be read, it goes on as it is.
    if (!record) return
    // It is not begun beside what goes over to it, or away from its name, as soon as that is at rest.
    if (this.#kept.names.some((each) => this.#successorOf(each) === name) || this.#namesake(name)) return
    const share = this.#share(name)
    // What others are to have ends here when they have it.
    const elsewhere = sumOf(others, (beat) => (beat.draining ? 0 : (desiredOn(beat, name)?.running ?? 0)))
    const isMisplaced = missingLabel(record, this.#options.labels) !== undefined
    const canGo = isMisplaced && !others.some((beat) => desiredOn(beat, name)?.fits)
    const needed = canGo ? 0 : Math.min(this.#kept.running(name), Math.max(0, record.replicas - elsewhere))
    this.#kept.aim(name, this.#feasible(name, record), Math.max(share, needed))
  }

  /** The record, or the one before where what lies here can't take its place. */
  #feasible(name: string, record: DesiredRecord): DesiredRecord {
    const before = this.#kept.recordOf(name)
    return before && this.#obstacles.get(name) && !runsTheSame(before, record)
      ? { ...before, replicas: record.replicas }
      : record
  }

  #forget(name: string): void {
    this.#kept.forgive(name)
    this.#followed.records.delete(name)
    this.#obstacles.delete(name)
  }

  #share(name: string): number {
    return this.#plan.get(name)?.get(this.#options.node) ?? 0
  }

  #tell(): void {
    const told = JSON.stringify(this.told().plugins)
    if (told === this.#told) return
    this.#told = told
    this.#options.changed()
  }

  #tellOf(name: string, followed: FollowedRecord): DesiredOnNode | undefined {
    const { record, isRemoved, isAgreed } = followed
    const running = this.#kept.running(name)
    if (isRemoved && running === 0 && !this.#kept.isWorking(name)) return undefined
    const obstacle = isRemoved ? undefined : this.#obstacleOf(name, followed)
    const share = this.#share(name)
    const isCurrent = this.#isCurrent(name, record)
    const old = isCurrent ? undefined : (this.#obstacles.get(name) ?? this.#kept.failure(name))
    const whyOld = old && `it runs as before: ${old.why}`
    const why = obstacle?.why ?? whyOld ?? this.#whyFewer(name, followed)
    const code = obstacle?.code ?? old?.code
    const lease = this.#kept.lease(name)
    return {
      ...{ name, generation: generationOf(followed), running, current: isCurrent },
      wanted: isRemoved ? 0 : ((record ?? this.#kept.recordOf(name))?.replicas ?? 0),
      ...(isAgreed || isRemoved ? { share: isRemoved ? 0 : share } : {}),
      fits: !isRemoved && obstacle === undefined,
      ...(why === undefined ? {} : { why: why.slice(0, maxWhy) }),
      ...(code === undefined ? {} : { code }),
      ...(lease === undefined ? {} : { lease }),
    }
  }

  #isCurrent(name: string, record: DesiredRecord | undefined): boolean {
    const kept = this.#kept.recordOf(name)
    return !kept || !record || runsTheSame(kept, record)
  }

  #whyFewer(name: string, { record }: FollowedRecord): string | undefined {
    const lease = this.#kept.lease(name)
    if (record && record.replicas > 1 && lease !== undefined)
      return 'it keeps state, so that one process has to do'
    const failure = this.#kept.failure(name)
    if (failure) return failure.why
    const successor = this.#successorOf(name)
    // Whoever has swapped it has not come to remove its record.
    if (successor !== undefined) return `plugin "${successor}" has taken its place: unload it`
    if (
      record &&
      this.#isFull(name) &&
      sumOf([...(this.#plan.get(name)?.values() ?? [])], (share) => share) < record.replicas
    )
      return `it has no room for more: its ${this.#options.room} processes are taken (maxReplicas)`
    return this.#kept.running(name) > 0 ? undefined : this.#kept.note(name)
  }

  /** Whether all that this node may have is taken. */
  #isFull(name: string): boolean {
    const { node, room } = this.#options
    const taken = sumOf([...this.#plan], ([each, shares]) =>
      Math.max(shares.get(node) ?? 0, this.#kept.running(each)),
    )
    return taken >= room && this.#plan.has(name)
  }

  /** Why this node can't run it. */
  #obstacleOf(name: string, { record, problem }: FollowedRecord): Obstacle | undefined {
    if (!record) return { code: ErrorCodes.CONFIG_INVALID, why: problem ?? 'its record can’t be read' }
    const label = missingLabel(record, this.#options.labels)
    if (label !== undefined) return { code: ErrorCodes.PLUGIN_NOT_FOUND, why: label }
    // What runs needs nothing more.
    if (this.#kept.running(name) > 0) return undefined
    const obstacle = this.#obstacles.get(name) ?? this.#kept.failure(name)
    if (obstacle) return obstacle
    if (!this.#options.local.isNamed(name) || this.#kept.has(name) || this.#kept.isWorking(name))
      return undefined
    const namesake = this.#namesake(name)
    if (namesake !== undefined && this.#successorOf(namesake) === name) return undefined
    const why =
      namesake === undefined
        ? 'it has been loaded on this node by its name'
        : `plugin "${namesake}" has been swapped for it on this node`
    return { code: ErrorCodes.PLUGIN_ALREADY_LOADED, why }
  }

  #self(): PlacementNode {
    const { node, room } = this.#options
    const { plugins, sinceMs } = this.told()
    return placed({ node, room, sinceMs, plugins })
  }
}

function generationOf({ record, revision }: { record?: DesiredRecord; revision: number }): number {
  return record?.generation ?? revision
}

/** Whether all nodes that take part have seen that generation. */
function haveTold(name: string, generation: number, beats: readonly Beat[]): boolean {
  return beats.every(
    (beat) => !beat.desired || beat.draining || (desiredOn(beat, name)?.generation ?? -1) >= generation,
  )
}

function placementNode({ node, draining, desired }: Beat): PlacementNode | undefined {
  return desired && !draining ? placed({ node, ...desired }) : undefined
}

function placed(told: { node: string } & NonNullable<Beat['desired']>): PlacementNode {
  const { node, room, sinceMs } = told
  const plugins = new Map(told.plugins.map((plugin) => [plugin.name, plugin]))
  return {
    ...{ node, room, isSettled: sinceMs >= times.settle },
    fits: (name) => plugins.get(name)?.fits ?? false,
    running: (name) => plugins.get(name)?.running ?? 0,
    lease: (name) => plugins.get(name)?.lease,
  }
}

function sumOf<T>(all: readonly T[], numberOf: (one: T) => number): number {
  return all.reduce((sum, one) => sum + numberOf(one), 0)
}
