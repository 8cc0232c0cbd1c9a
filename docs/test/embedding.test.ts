import { expect, it } from 'vitest'
import { kinds } from '../../packages/host/dist/options.js'
import { testDocument } from './document.js'
import { instanceLimits, restartPolicy, shown, slotLimits } from './limits.js'
import { tableOf } from './tables.js'

const { text } = testDocument('docs/embedding.md', () => {
  it('lists every option of the host with its default', () => {
    const options = tableOf(text, 'A host').map(([option = '', initial = '']) => [option, initial])
    const limits = { ...instanceLimits, maxHeapMb: undefined, ...slotLimits }
    const names = options.map(([name]) => name)
    // `preferSource` is for `dev`, and described with it.
    const others = Object.keys(kinds).filter((name) => name !== 'preferSource')
    expect(names.toSorted()).toEqual([...others, ...Object.keys(limits)].toSorted())
    expect(options.filter(([name = '']) => name in limits)).toEqual(
      Object.entries(limits).map(([name, value]) => [name, shown(value)]),
    )
    for (const [name, value] of Object.entries(restartPolicy))
      expect(text.includes(`\`${name}\` ${shown(value)}`), name).toBe(true)
  })
})
