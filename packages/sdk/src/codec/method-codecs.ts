import type { JsonSchema, MethodDescriptor } from '../descriptor.js'
import {
  type Codec,
  type CodecOptions,
  compileCodec,
  type Direction,
  lazyCodec,
  localName,
} from './compile.js'

/** The codecs of one method, each made when it is first needed. */
export class MethodCodecs {
  readonly method: MethodDescriptor
  /** The wire name of the argument that may arrive as a stream. */
  readonly inputName: string | undefined

  readonly #options: CodecOptions

  /**
   * @param options.checked The author's own schema checks arguments and results too, and fills in defaults. Default: false.
   * @param options.forCaller Arguments come from code, and may be more than JSON can carry. Default: false.
   */
  constructor(method: MethodDescriptor, options: { checked?: boolean; forCaller?: boolean } = {}) {
    const { checked = false, forCaller = false } = options
    this.method = method
    this.#options = {
      ...(checked ? { fillsDefaults: false, strict: true } : {}),
      ...(forCaller ? { strict: true, takesToJson: true } : {}),
    }
    const { properties = {} } = objectSchema(method.args)
    this.inputName = Object.keys(properties).find(
      (wire) => localName(wire, properties[wire] ?? {}) === method.input,
    )
  }

  readonly decodeArgs: Codec = lazyCodec(() => this.#compile(this.method.args, 'decode'))
  readonly encodeArgs: Codec = lazyCodec(() => this.#compile(this.method.args, 'encode'))
  readonly decodeResult: Codec = lazyCodec(() => this.#compile(this.method.result, 'decode'))
  readonly encodeResult: Codec = lazyCodec(() => this.#compile(this.method.result, 'encode'))
  readonly decodePiece: Codec = lazyCodec(() => this.#compile(this.method.piece ?? {}, 'decode'))
  readonly encodePiece: Codec = lazyCodec(() => this.#compile(this.method.piece ?? {}, 'encode'))
  /** The arguments but for the one that arrives as a stream. Nobody but the codec fills in their defaults. */
  readonly decodeArgsWithoutInput: Codec = lazyCodec(() => compileCodec(this.#argsWithoutInput(), 'decode'))
  readonly encodeArgsWithoutInput: Codec = lazyCodec(() =>
    compileCodec(this.#argsWithoutInput(), 'encode', this.#options),
  )
  /** One item of the argument that arrives as a stream. */
  readonly decodeInput: Codec = lazyCodec(() => compileCodec(this.#inputSchema(), 'decode'))
  readonly encodeInput: Codec = lazyCodec(() => compileCodec(this.#inputSchema(), 'encode', this.#options))

  #compile(schema: JsonSchema, direction: Direction): Codec {
    return compileCodec(schema, direction, this.#options)
  }

  #inputSchema(): JsonSchema {
    const { properties = {} } = objectSchema(this.method.args)
    return { ...properties[this.inputName ?? ''], $defs: this.method.args['$defs'] }
  }

  #argsWithoutInput(): JsonSchema {
    const { properties = {}, required = [] } = objectSchema(this.method.args)
    const rest = Object.fromEntries(Object.entries(properties).filter(([wire]) => wire !== this.inputName))
    return {
      ...this.method.args,
      properties: rest,
      required: required.filter((wire) => wire !== this.inputName),
    }
  }
}

function objectSchema(schema: JsonSchema): { properties?: Record<string, JsonSchema>; required?: string[] } {
  return schema
}
