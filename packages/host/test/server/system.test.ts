import { expect, test, vi } from 'vitest'
import { startHost, ttsPlugin } from './client.js'

vi.setConfig({ testTimeout: 120_000 })

/** With so many files and no more, as a shell limits what it starts. */
const withFiles = (most: number): string[] => ['sh', '-c', `ulimit -n ${most}; exec "$0" "$@"`]

const names = Array.from({ length: 40 }, (_, at) => `p${at}`)

test.skipIf(process.platform === 'win32')(
  'a host that has no files left for all its plugins goes on, and says of each that another try may succeed',
  async () => {
    const files = Object.assign({}, ...names.map((name) => ttsPlugin(name)))
    const host = startHost(files, ['--auto-load'], withFiles(120))
    expect(await host.result('ping')).toBe('pong')
    const loads = await Promise.all(
      names.map((name) => host.ask('plugin/call', { plugin: name, method: 'get_voices', args: {} })),
    )
    const loaded = names.filter((_, at) => loads[at]?.error === undefined)
    expect(loaded.length).toBeGreaterThan(0)
    expect(loaded.length).toBeLessThan(names.length)
    // Some may find room once the others have started.
    const rest = names.filter((name) => !loaded.includes(name))
    const again = await Promise.all(rest.map((name) => host.ask('plugin/load', { name })))
    const failed = rest.filter((_, at) => again[at]?.error !== undefined)
    expect(failed.length).toBeGreaterThan(0)
    for (const { error } of again) if (error) expect(error.data).toMatchObject({ transient: true })
    loaded.push(...rest.filter((name) => !failed.includes(name)))
    const [left = ''] = failed
    // What leaves makes room.
    for (const name of loaded) await host.result('plugin/unload', { name })
    await host.result('plugin/load', { name: left })
    expect(await host.result('plugin/call', { plugin: left, method: 'get_voices', args: {} })).toMatchObject([
      { id: left },
    ])
    expect(host.child.exitCode).toBeNull()
  },
)

test.skipIf(process.platform === 'win32')(
  'SIGUSR1 opens no debugger in the host, which goes on',
  async () => {
    const host = startHost(ttsPlugin('a'))
    await host.result('plugin/load', { name: 'a' })
    process.kill(host.pid, 'SIGUSR1')
    expect(await host.result('plugin/call', { plugin: 'a', method: 'get_voices', args: {} })).toMatchObject([
      { id: 'a' },
    ])
    expect((await host.finish()).code).toBe(0)
    expect(host.stderr).not.toContain('Debugger')
  },
)
