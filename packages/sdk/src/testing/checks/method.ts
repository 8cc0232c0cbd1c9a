import { isDeepStrictEqual } from 'node:util'
import type { JsonSchema, MethodDescriptor } from '../../descriptor.js'
import { isPluginError, type PluginError } from '../../errors.js'
import { type Check, type CheckContext, must } from '../check.js'
import type { WireArgs } from '../target.js'
import { badArguments } from './bad-arguments.js'
import { callForResult, codeText, errorText, readResult, tryCall, unexpected } from './calls.js'
import { checkCancelled } from './cancellation.js'

/** Errors by which an engine may refuse to do several things at once. */
const refusals: ReadonlySet<string | undefined> = new Set(['RESOURCE_EXHAUSTED', 'LLM_RATE_LIMITED'])

/** Checks of each method, for any contract. */
export function methodChecks(contract: string, method: MethodDescriptor): Check[] {
  const id = `${contract}.${method.wire}`
  const { wire } = method
  const common = { ...needs(method), after: [`${id}.result`] }
  const checks: Check[] = [
    {
      ...common,
      id: `${id}.result`,
      title: `${wire} answers in the shape of the contract`,
      after: ['lifecycle.initialize'],
      run: (context) => checkResult(context, method),
    },
    argumentsCheck(contract, method),
  ]
  // A method without arguments has nothing to refuse, mix up or cancel.
  if (Object.keys(propertiesOf(method.args)).length === 0) return checks
  return [
    ...checks,
    {
      ...common,
      id: `${id}.errors`,
      title: `${wire} refuses what it can’t do with a code from the table`,
      run: (context) => checkErrors(context, method),
    },
    {
      ...common,
      id: `${id}.concurrent`,
      title: `Calls of ${wire} at the same time each get their own answer`,
      run: (context) => checkConcurrent(context, method),
    },
    ...(method.kind === 'call' ? [cancelCheck(contract, method, `${id}.result`)] : []),
  ]
}

export function cancelCheck(contract: string, method: MethodDescriptor, after: string): Check {
  return {
    ...needs(method),
    id: `${contract}.${method.wire}.cancel`,
    title: `${method.wire} ends soon after it is cancelled, and the plugin goes on serving`,
    after: [after],
    run: (context) => checkCancelled(context, method),
  }
}

/** Bad arguments are refused before the plugin's method is called, so this needs no call that works. */
export function argumentsCheck(contract: string, method: MethodDescriptor): Check {
  return {
    ...needs(method),
    id: `${contract}.${method.wire}.arguments`,
    title: `${method.wire} refuses bad arguments with INVALID_PARAMS, naming the argument`,
    after: ['lifecycle.initialize'],
    run: (context) => checkArguments(context, method),
  }
}

/** A method that the contract does not require is a capability. */
export function needs({ required, wire }: MethodDescriptor): { requires?: string } {
  return required ? {} : { requires: wire }
}

async function checkResult(context: CheckContext, method: MethodDescriptor): Promise<void> {
  const { first, guessed } = context.samples(method)
  const outcome = await tryCall(context, method, first)
  const hint = guessed
    ? `; its arguments were guessed, give better ones: samples: { ${method.name}: { … } }`
    : ''
  must(outcome.error === undefined, `${method.wire} failed: ${errorText(outcome.error)}${hint}`)
  readResult(context, method, outcome.answer)
}

async function checkArguments(context: CheckContext, method: MethodDescriptor): Promise<void> {
  const bad = badArguments(method, context.samples(method).first)
  if (bad.length === 0) context.note(`not tried: there are no arguments that ${method.wire} does not allow`)
  for (const { args, path, what } of bad) {
    const { error } = await tryCall(context, method, args)
    must(error !== undefined, `${what} was accepted`)
    must(isPluginError(error), `${what} gave ${errorText(error)}`)
    must(error.codeName === 'INVALID_PARAMS', `${what} gave ${errorText(error)}, not INVALID_PARAMS`)
    must(
      pathsIn(error).some((each) => each.startsWith(path)),
      `${what}: \`data.issues\` does not name ${path}`,
    )
  }
}

function pathsIn({ data, message }: PluginError): string[] {
  const issues = (data as { issues?: unknown } | undefined)?.issues
  const paths = Array.isArray(issues) ? issues.map((issue) => String((issue as { path?: unknown }).path)) : []
  return paths.length > 0 ? paths : [message]
}

/** Arguments that are allowed and yet odd: each gives an answer, or an error that the plugin foresaw. */
async function checkErrors(context: CheckContext, method: MethodDescriptor): Promise<void> {
  const odd = oddValues(method)
  if (odd.length === 0) context.note(`not tried: ${method.wire} takes no text and no bytes`)
  for (const [name, value] of odd) {
    const { first } = context.samples(method)
    const { error } = await tryCall(context, method, { ...first, [name]: value })
    if (error === undefined) continue
    const shown = JSON.stringify(value)
    mustBeForeseen(context, error, `${name}: ${shown.length < 42 ? shown : 'noise'}`)
  }
}

/** Each text of the arguments once empty and once unknown, in a list of texts too; bytes once empty and once as noise. */
function oddValues({ args }: MethodDescriptor): [string, unknown][] {
  const { required = [] } = args as { required?: string[] }
  return Object.entries(propertiesOf(args)).flatMap(([name, schema]): [string, unknown][] => {
    if (schema['contentEncoding'] === 'base64') {
      const noise = Uint8Array.from({ length: 999 }, (_, index) => (index * 89 + 17) % 251)
      return [
        [name, ''],
        [name, Buffer.from(noise).toString('base64')],
      ]
    }
    const { type, items } = schema as { type?: string; items?: JsonSchema }
    if (type === 'array' && items && required.includes(name))
      return oddTexts(items).map((text) => [name, [text]])
    return oddTexts(schema).map((text) => [name, text])
  })
}

function oddTexts(schema: JsonSchema): string[] {
  if (schema['type'] !== 'string' || schema['enum'] || 'const' in schema) return []
  const { minLength = 0, maxLength = 100 } = schema as { minLength?: number; maxLength?: number }
  return ['', 'no-such-value', '\u{1f600}\u0000\n'].filter(
    ({ length }) => length >= minLength && length <= maxLength,
  )
}

/** An expected error: a code of the table or of the author, never INTERNAL_ERROR. */
export function mustBeForeseen(context: CheckContext, error: unknown, what: string): void {
  if (!isPluginError(error)) throw unexpected(what, error)
  const text = `${what} gave ${errorText(error)}`
  must(error.codeName !== 'INTERNAL_ERROR', `${text}; throw a PluginError that says what was wrong`)
  must(error.codeName !== 'CALL_TIMEOUT', text)
  must(error.codeName !== 'PLUGIN_CRASHED', text)
  const isReserved = error.code >= -32_768 && error.code <= -32_000
  must(error.codeName !== undefined || !isReserved, `${text}: codes from -32768 to -32000 are reserved`)
  const owner = /^(TTS|STT|LLM)_/.exec(codeText(error))?.[1]?.toLowerCase()
  // An embedding model is a language model: it has no codes of its own.
  const own = context.contract.name === 'embedding' ? 'llm' : context.contract.name
  const isOther = owner !== undefined && owner !== own
  must(!isOther, `${text}: that code belongs to the contract "${owner}"`)
}

async function checkConcurrent(context: CheckContext, method: MethodDescriptor): Promise<void> {
  const { first } = context.samples(method)
  const one = { args: first, answer: await answerAlone(context, method, first) }
  const pair = [one, await findOther(context, method, one.answer)] as const
  // An engine that never says the same thing twice can't be compared with itself.
  const steady: boolean[] = []
  for (const { args, answer } of pair)
    steady.push(isDeepStrictEqual(await answerAlone(context, method, args), answer))
  const expected = [...pair, ...pair]
  const together = await Promise.all(expected.map(({ args }) => tryCall(context, method, args)))
  const answered = together.filter(({ error }) => !isRefusal(error))
  must(answered.length > 0, 'each of four calls at the same time was refused')
  for (const [index, outcome] of together.entries()) {
    if (isRefusal(outcome.error)) continue
    if (outcome.error !== undefined)
      throw unexpected(`${method.wire} at the same time as others`, outcome.error)
    const result = withoutFigures(readResult(context, method, outcome.answer))
    must(
      !steady[index % 2] || isDeepStrictEqual(result, expected[index]?.answer),
      `call ${index + 1} of four at the same time got another answer than alone; is something of a call kept in the instance?`,
    )
  }
  if (steady.includes(false)) context.note(notSteady(method))
  else if (isDeepStrictEqual(pair[0].answer, pair[1].answer))
    context.note(
      `not compared: all arguments that were tried get the same answer, so mixed up ones do not show; give others: samples: { ${method.name}: [{ … }, { … }] }`,
    )
}

interface Answered {
  args: WireArgs
  answer: unknown
}

/** Arguments that get another answer than the ordinary ones, if any of the samples do. */
async function findOther(context: CheckContext, method: MethodDescriptor, one: unknown): Promise<Answered> {
  const { first, others } = context.samples(method)
  for (const args of others.slice(0, -1)) {
    const outcome = await tryCall(context, method, args)
    if (outcome.error !== undefined) continue
    const answer = withoutFigures(readResult(context, method, outcome.answer))
    if (!isDeepStrictEqual(answer, one)) return { args, answer }
  }
  const args = others.at(-1) ?? first
  return { args, answer: await answerAlone(context, method, args) }
}

async function answerAlone(
  context: CheckContext,
  method: MethodDescriptor,
  args: WireArgs,
): Promise<unknown> {
  return withoutFigures(await callForResult(context, method, args))
}

/** Why nothing was compared with an answer. */
export function notSteady({ wire }: MethodDescriptor): string {
  return `not compared: two calls of ${wire} with the same arguments get different answers`
}

function isRefusal(error: unknown): boolean {
  return isPluginError(error) && refusals.has(error.codeName)
}

/** A result without fields that may differ between calls. */
export function withoutFigures(result: unknown): unknown {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return result
  const { usage: _usage, metadata: _metadata, ...rest } = result as WireArgs
  return rest
}

function propertiesOf(schema: JsonSchema): Record<string, JsonSchema> {
  return (schema['properties'] ?? {}) as Record<string, JsonSchema>
}
