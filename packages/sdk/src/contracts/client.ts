import type { PluginBase } from './base.js'

/** Options of every call in TypeScript. They are never sent. */
export interface CallOptions {
  /** An abort cancels the call in the plugin; the call then fails with REQUEST_CANCELLED. */
  signal?: AbortSignal | undefined
  /** In ms; the call is then cancelled and fails with CALL_TIMEOUT. For a stream: time between two pieces. */
  timeoutMs?: number | undefined
  /**
   * Number of further attempts if the plugin crashes during the call, within `timeoutMs`. Only for methods that the contract
   * marks idempotent; not for streams. Default: 0.
   */
  retry?: number | undefined
  /**
   * Where the handle is that of a fallback: `false`: only its first plugin is called. `restart`: a stream that fails behind its
   * first piece begins anew on the next plugin; the first piece of that has `restarted: true`. Default: true.
   */
  fallback?: boolean | 'restart' | undefined
}

/** Carries, in types alone, how an application sees a plugin of a contract. */
export declare const clientType: unique symbol

/**
 * A contract as an application sees it through the host: results are always complete.
 *
 * @example type Speech = ClientOf<TTSContract>   // synthesize(…): Promise<SynthesisResult>
 */
export type ClientOf<Contract> = Contract extends { readonly [clientType]?: infer Client }
  ? NonNullable<Client>
  : unknown

export type { PluginBase }
