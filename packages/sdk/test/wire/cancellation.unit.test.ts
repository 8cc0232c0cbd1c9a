import { expect, test } from 'vitest'
import { PluginError } from '../../src/errors.js'
import { CancellationToken } from '../../src/wire/cancellation.js'

const reason = new PluginError('REQUEST_CANCELLED', 'enough')

test('who listens hears of a cancel once, in order; the first reason stays', () => {
  const token = new CancellationToken()
  const heard: string[] = []
  token.addListener(() => heard.push('first'))
  token.addListener(() => heard.push('second'))
  expect(token.cancelled).toBeUndefined()
  token.cancel(reason)
  token.cancel(new PluginError('CALL_TIMEOUT'))
  expect([token.cancelled, heard]).toEqual([reason, ['first', 'second']])
})

test('who listens after the cancel hears of it at once', () => {
  const token = new CancellationToken()
  token.cancel(reason)
  const heard: string[] = []
  token.addListener(() => heard.push('late'))
  expect(heard).toEqual(['late'])
})

test('who has stopped listening hears nothing, the others do', () => {
  const token = new CancellationToken()
  const heard: string[] = []
  const leaving = (): void => void heard.push('leaving')
  token.removeListener(leaving)
  token.addListener(() => heard.push('first'))
  token.addListener(leaving)
  token.addListener(() => heard.push('last'))
  token.removeListener(leaving)
  token.removeListener(leaving)
  token.cancel(reason)
  token.removeListener(leaving)
  expect(heard).toEqual(['first', 'last'])
})
