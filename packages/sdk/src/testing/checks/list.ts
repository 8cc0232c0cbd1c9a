import type { MethodDescriptor } from '../../descriptor.js'
import { type Check, must } from '../check.js'
import { callForResult } from './calls.js'

/** A list of what a plugin has to offer names each thing once, by `key`. */
export function listCheck(contract: string, method: MethodDescriptor, key: string): Check {
  const id = `${contract}.${method.wire}`
  return {
    id: `${id}.unique`,
    title: `${method.wire} names each ${key} once`,
    after: [`${id}.result`],
    run: async (context) => {
      const items = (await callForResult(context, method, {})) as Record<string, unknown>[]
      const names = items.map((item) => String(item[key]))
      const twice = names.find((name, index) => names.indexOf(name) !== index)
      must(twice === undefined, `${key} "${twice}" is there twice`)
      must(!names.includes(''), `a ${key} is empty`)
    },
  }
}
