import type { ContractDescriptor, Manifest, PluginError, SessionRole } from '@appfactory/sdk'
import type { RoutedCallOptions, WireArgs } from '../options.js'

/** What takes calls of a plugin: its process on this machine, or a node that has it. Whoever routes calls knows no more of it. */
export interface Worker {
  readonly manifest: Pick<Manifest, 'name' | 'version'>
  /** The node that it is on. Absent: it is on this machine. */
  readonly node?: string
  /** Whether it is there, and nobody has asked it to leave. */
  readonly isRunning: boolean
  /** Whether it has anything to do. */
  readonly isBusy: boolean
  /** Calls in flight, without streams. */
  readonly callsInFlight: number
  /** What a method, by its wire name, does to a session. */
  sessionRole(method: string): SessionRole | undefined
  /** Whether calling a method twice does no harm, by its contract. */
  isIdempotent(method: string): boolean
  /** Calls a method by its wire name, with arguments and result as they are on the wire. */
  call(method: string, args: WireArgs, options: RoutedCallOptions): Promise<unknown>
  /** Calls a stream method by its wire name. It begins when it is first read. */
  stream(method: string, args: WireArgs, options: RoutedCallOptions): AsyncIterableIterator<unknown>
}

/**
 * Why a worker surely did nothing for a call that failed: it refused it (others may have room), or never got it. Undefined: it may
 * have begun.
 */
export type Unbegun = 'refused' | 'unreached' | undefined

/** The workers of one plugin, for whoever decides which of them a call goes to. */
export interface Workers {
  /** The name of the plugin that serves. */
  readonly name: string
  /** What callers rely on, also while no worker is there. Undefined before the first one. */
  readonly contract: ContractDescriptor | undefined
  /** Whether they are closed, or being closed. */
  readonly isClosed: boolean
  /** One that takes calls, however many it has. */
  readonly serving: Worker | undefined
  /** Why a call that waits can wait no longer. Undefined: a worker is there, or may come. */
  readonly whyNone: PluginError | undefined
  /**
   * The one that is to take a call at once.
   *
   * @param sessionsOf How many sessions a worker has.
   * @param tried Those that have refused this call.
   */
  free(sessionsOf: (worker: Worker) => number, tried?: ReadonlySet<Worker>): Worker | undefined
  /** Notes that a worker was given a call or a stream. Returns what notes its end. Undefined: nobody needs to know. */
  occupy(worker: Worker): (() => void) | undefined
  /** Which of several places on this machine a worker has, from 1. Undefined: there is only one. */
  placeOf?(worker: Worker): number | undefined
  /** Counts a call for which no worker was asked. */
  countRefused(method: string, error: unknown): void
  /** The error of a call that has waited for a worker for all of its time, in ms. */
  late(timeoutMs: number): PluginError
  /** What a worker did for a call that failed with this error. Absent: no call goes to another worker by itself. */
  unbegun?(error: unknown): Unbegun
}
