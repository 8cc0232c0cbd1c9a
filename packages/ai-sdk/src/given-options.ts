import { InvalidArgumentError, type JSONObject, type JSONValue } from '@ai-sdk/provider'

const providerName = 'appfactory'

/**
 * `providerOptions.appfactory`: options of the contract that the AI SDK has no name for are taken out by name and type; the plugin
 * gets the rest as its own provider options.
 */
export class GivenOptions {
  readonly #left: Map<string, JSONValue | undefined>

  constructor(providerOptions: Record<string, JSONObject> | undefined) {
    this.#left = new Map(Object.entries(providerOptions?.[providerName] ?? {}))
  }

  number(name: string): number | undefined {
    const value = this.#take(name)
    return value === undefined || typeof value === 'number' ? value : this.#refuse(name, 'a number', value)
  }

  string(name: string): string | undefined {
    const value = this.#take(name)
    return value === undefined || typeof value === 'string' ? value : this.#refuse(name, 'a string', value)
  }

  boolean(name: string): boolean | undefined {
    const value = this.#take(name)
    return value === undefined || typeof value === 'boolean'
      ? value
      : this.#refuse(name, 'true or false', value)
  }

  /** What the host takes of any call: `timeoutMs` beside the caller's signal. */
  callOptions(signal: AbortSignal | undefined): {
    signal: AbortSignal | undefined
    timeoutMs: number | undefined
  } {
    return { signal, timeoutMs: this.number('timeoutMs') }
  }

  /** What has not been taken, with the model inside the plugin where the contract has no place for it. */
  rest(model?: string): { providerOptions?: Record<string, unknown> } {
    const rest = { ...(model === undefined ? {} : { model }), ...Object.fromEntries(this.#left) }
    return Object.keys(rest).length > 0 ? { providerOptions: rest } : {}
  }

  /** null counts as absent, as everywhere. */
  #take(name: string): JSONValue | undefined {
    const value = this.#left.get(name)
    this.#left.delete(name)
    return value ?? undefined
  }

  #refuse(name: string, what: string, value: unknown): never {
    const argument = `providerOptions.${providerName}.${name}`
    const message = `${argument}: must be ${what}, not ${JSON.stringify(value)}`
    throw new InvalidArgumentError({ argument, message })
  }
}
