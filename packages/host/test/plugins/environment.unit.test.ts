import { expect, onTestFinished, test, vi } from 'vitest'
import { pluginEnvironment } from '../../src/plugins/environment.js'

const refused = expect.objectContaining({ codeName: 'CONFIG_INVALID' })

const whatRuns = [
  ...['NODE_OPTIONS', 'NODE_PATH', 'LD_PRELOAD', 'LD_AUDIT', 'DYLD_INSERT_LIBRARIES', 'node_path'],
  ...['PYTHONPATH', 'PYTHONHOME', 'PYTHONSTARTUP', 'PYTHONINSPECT', 'PYTHONUSERBASE', 'PYTHONEXECUTABLE'],
  ...['PYTHONBREAKPOINT', 'PYTHONWARNINGS', 'PYTHONPYCACHEPREFIX', '__PYVENV_LAUNCHER__', 'pythonpath'],
]

test.each([...whatRuns, 'LD_LIBRARY_PATH'])(
  '%s is granted by no application, by name or by value',
  (name) => {
    for (const caller of [[name], { [name]: '/x' }])
      expect(() => pluginEnvironment('p', { caller })).toThrow(refused)
  },
)

test.each(whatRuns)('%s is granted by no configuration file, by name or by value', (name) => {
  for (const operator of [[name], { [name]: '/x' }])
    expect(() => pluginEnvironment('p', { operator })).toThrow(refused)
})

test('variables of Python’s that change nothing of what runs are granted as any other', () => {
  const caller = { PYTHONHASHSEED: '1', PYTHONMALLOC: 'debug' }
  expect(pluginEnvironment('p', { caller })).toMatchObject(caller)
})

test('LD_LIBRARY_PATH is granted by a configuration file, with a warning', () => {
  const warn = vi.fn()
  const environment = pluginEnvironment('p', { operator: { LD_LIBRARY_PATH: '/lib' } }, warn)
  expect(environment).toMatchObject({ LD_LIBRARY_PATH: '/lib' })
  expect(warn).toHaveBeenCalledOnce()
})

test('what nobody grants stays behind', () => {
  vi.stubEnv('API_KEY', 'secret')
  onTestFinished(() => void vi.unstubAllEnvs())
  expect(pluginEnvironment('p', {})).not.toHaveProperty('API_KEY')
  expect(pluginEnvironment('p', { caller: ['API_KEY'] })).toMatchObject({ API_KEY: 'secret' })
})
