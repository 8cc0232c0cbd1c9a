import { pluginMethods } from '@appfactory/sdk/internal'
import { expect, it } from 'vitest'
import { serverMethods } from '../../packages/host/dist/server/methods.js'
import { testDocument } from './document.js'
import { firstColumn } from './tables.js'

const { text } = testDocument('docs/protocol.md', () => {
  it('lists every method', () => {
    expect(firstColumn(text, 'Methods').toSorted()).toEqual(
      [...Object.keys(serverMethods), '<contract>/<method>'].toSorted(),
    )
    expect(firstColumn(text, 'Methods of a plugin')).toEqual(Object.values(pluginMethods))
  })
})
