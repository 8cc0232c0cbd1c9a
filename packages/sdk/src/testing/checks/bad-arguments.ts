import type { JsonSchema, MethodDescriptor } from '../../descriptor.js'
import type { WireArgs } from '../target.js'

export interface BadArguments {
  args: WireArgs
  /** The argument that the error must name. */
  path: string
  /** As in `text: 12345`. */
  what: string
}

/** Arguments that the schema of a method does not allow, made from ones that it does. */
export function badArguments({ args: schema }: MethodDescriptor, good: WireArgs): BadArguments[] {
  const {
    properties = {},
    required = [],
    additionalProperties,
  } = schema as {
    properties?: Record<string, JsonSchema>
    required?: string[]
    additionalProperties?: unknown
  }
  const wrong = Object.entries(properties).flatMap(([name, property]) => {
    const value = wrongValue(property)
    return value === undefined
      ? []
      : [bad({ ...good, [name]: value }, name, `${name}: ${JSON.stringify(value)}`)]
  })
  const missing = required.map((name) => {
    const { [name]: _left, ...rest } = good
    return bad(rest, name, `${name} left out`)
  })
  const unknown =
    additionalProperties === false
      ? [bad({ ...good, no_such_argument: 1 }, 'no_such_argument', 'an unknown argument')]
      : []
  return [...wrong, ...missing, ...unknown]
}

function bad(args: WireArgs, path: string, what: string): BadArguments {
  return { args, path, what }
}

/** A value of another type than the schema's; undefined where none can be told. */
function wrongValue(schema: JsonSchema): unknown {
  switch (schema['type']) {
    case 'string':
      return 12_345
    case 'number':
    case 'integer':
    case 'boolean':
      return 'wrong'
    case 'object':
    case 'array':
      return 'wrong'
    default:
      return undefined
  }
}
