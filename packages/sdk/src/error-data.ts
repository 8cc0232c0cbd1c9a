import type { ErrorName, PluginError } from './errors.js'

/** One thing that is wrong with an argument, a configuration or a result. */
export interface ErrorIssue {
  /** Where it stands, such as `voices.0.id`; empty for the whole value. */
  readonly path: string
  /** What is wrong there. */
  readonly message: string
}

interface OfPlugin {
  /** The plugin's name. */
  readonly plugin: string
}

interface OfMethod extends OfPlugin {
  /** The method's wire name. */
  readonly method: string
}

interface TimedOut extends OfPlugin {
  readonly timeout_ms: number
}

interface Exited extends OfPlugin {
  /** How the process ended, such as `exited with code 1`. */
  readonly exit: string
  /** The end of what it wrote to stderr: 8 KiB at most. */
  readonly stderr: string
}

interface NotStarted extends Exited {
  /** The file and line in the author's code, where they are known: `index.js:3`. */
  readonly place: string
  /** True if another try may succeed. */
  readonly transient: boolean
}

interface Limited extends OfPlugin {
  /** The option, or its value. */
  readonly limit: string | number
  readonly value: number
}

/**
 * What `data` of the SDK's and the host's own errors has, as on the wire. Codes that are not here carry nothing that a program
 * could use.
 */
export interface ErrorData {
  INVALID_PARAMS: OfMethod & { readonly issues: readonly ErrorIssue[] }
  INTERNAL_ERROR: OfMethod & { readonly error: string }
  PLUGIN_NOT_FOUND: OfPlugin
  PLUGIN_NOT_READY: OfPlugin & { readonly successor: string }
  PLUGIN_LOAD_FAILED: NotStarted & TimedOut
  PLUGIN_INITIALIZE_FAILED: NotStarted & TimedOut
  PLUGIN_SHUTDOWN_FAILED: OfPlugin
  PLUGIN_ALREADY_LOADED: OfPlugin
  /** `expected` is the contract that was asked for; `methods` are those that the plugin lacks. */
  CONTRACT_MISMATCH: OfPlugin & {
    readonly contract: string
    readonly expected: string
    readonly methods: readonly string[]
    readonly issues: readonly ErrorIssue[]
  }
  METHOD_NOT_FOUND: OfMethod & { readonly methods: readonly string[] }
  MANIFEST_INVALID: OfPlugin & { readonly errors: readonly string[] }
  CONFIG_INVALID: OfPlugin & { readonly issues: readonly ErrorIssue[] }
  HOTSWAP_FAILED: {
    readonly step: string
    readonly old_plugin: string
    readonly new_plugin: string
    readonly rollback_performed: boolean
  }
  HOTSWAP_ROLLBACK_FAILED: ErrorData['HOTSWAP_FAILED']
  HEALTH_CHECK_TIMEOUT: TimedOut
  CALL_TIMEOUT: TimedOut & OfMethod
  PLUGIN_CRASHED: Exited
  PLUGIN_QUARANTINED: OfPlugin & { readonly retry_ms: number }
  RESOURCE_EXHAUSTED: Limited
  DEPENDENCY_MISSING: OfPlugin & { readonly missing: readonly string[]; readonly command: string }
  MESSAGE_TOO_LARGE: Pick<Limited, 'limit'>
}

/**
 * A PluginError of one code. Each member of `data` may be missing: a plugin can throw any code, with what it likes.
 */
export interface PluginErrorOf<Name extends ErrorName> extends PluginError {
  /** The code's name. */
  readonly codeName: Name
  /** Details for programs. */
  readonly data: Name extends keyof ErrorData ? Partial<ErrorData[Name]> | undefined : unknown
}
