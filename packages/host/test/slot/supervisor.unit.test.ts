import { type HealthStatus, PluginError, PluginStatus } from '@appfactory/sdk'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { defaultRestartPolicy, type RestartPolicy } from '../../src/options.js'
import { Supervisor } from '../../src/slot/supervisor.js'
import { FakeInstance, FakeSource, untilAborted } from '../fixtures/fake-instance.js'

beforeEach(() => {
  vi.useFakeTimers()
  // The whole of each wait: what is drawn at random is how much less it may be.
  vi.spyOn(Math, 'random').mockReturnValue(0)
})

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

interface Supervision {
  source: FakeSource
  supervisor: Supervisor
  events: string[]
}

interface Conditions {
  healthIntervalMs?: number
  /** Called with each event, while it is told. */
  onEvent?(event: string): void
}

function supervise(
  policy: Partial<RestartPolicy> = {},
  { healthIntervalMs = Number.POSITIVE_INFINITY, onEvent }: Conditions = {},
): Supervision {
  const source = new FakeSource()
  const events: string[] = []
  const tell = (event: string): void => {
    events.push(event)
    onEvent?.(event)
  }
  const supervisor = new Supervisor({
    source,
    restartPolicy: { ...defaultRestartPolicy, firstDelayMs: 100, ...policy },
    healthIntervalMs,
    events: {
      status: (status) => tell(status),
      crash: ({ message }) => tell(`crash: ${message.split(' ')[4]}`),
      restart: (attempt, delayMs) => tell(`restart ${attempt} after ${delayMs}`),
      replaced: (previous) => tell(`replaced ${previous}`),
      gone: ({ manifest }) => tell(`gone: ${manifest.name}`),
      changed: () => {},
    },
    refuse: () => undefined,
    place: () => undefined,
  })
  return { source, supervisor, events }
}

async function opened(
  policy: Partial<RestartPolicy> = {},
  conditions: Conditions = {},
): Promise<Supervision> {
  const supervision = supervise(policy, conditions)
  await supervision.supervisor.open()
  return supervision
}

/** What has been decided by now has happened. */
const turns = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0)

/** As a source says that the host could not start a process. */
const transient = new PluginError('PLUGIN_LOAD_FAILED', 'no files left', { transient: true })

/** Stands for another plugin, or another version, that is started for a swap. */
function next(name = 'two', canUndo = true) {
  return { instance: new FakeInstance(name), source: new FakeSource(name), canUndo: () => canUndo }
}

describe('a crash', () => {
  test('is followed by a restart, after a wait; who asks meanwhile gets the new instance', async () => {
    const { source, supervisor, events } = await opened()
    source.last.crash()
    await turns()
    expect([supervisor.serving, supervisor.status]).toEqual([undefined, 'ERROR'])
    const ready = supervisor.ready()
    await vi.advanceTimersByTimeAsync(99)
    expect(source.starts).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(await ready).toBe(source.last)
    expect(source.starts).toBe(2)
    expect(events).toEqual([
      ...['INITIALIZING', 'READY', 'gone: one', 'crash: "one"', 'ERROR'],
      ...['restart 1 after 100', 'INITIALIZING', 'READY'],
    ])
  })

  test('after a crash waits longer, and is counted', async () => {
    const { source, supervisor, events } = await opened({ maxDelayMs: 300 })
    for (const delayMs of [100, 200, 300, 300]) {
      source.last.crash()
      await vi.advanceTimersByTimeAsync(delayMs)
      expect(supervisor.serving).toBe(source.last)
    }
    expect(supervisor.restarts).toBe(4)
    expect(events.filter((event) => event.startsWith('restart'))).toEqual([
      'restart 1 after 100',
      'restart 2 after 200',
      'restart 3 after 300',
      'restart 4 after 300',
    ])
  })

  test('of a restart that fails for a while counts as another', async () => {
    const { source, supervisor, events } = await opened()
    source.before = (_, start) => {
      if (start === 2) throw transient
    }
    source.last.crash()
    await turns()
    const ready = supervisor.ready()
    await vi.advanceTimersByTimeAsync(300)
    expect(await ready).toBe(source.last)
    expect(events.slice(5)).toEqual([
      ...['restart 1 after 100', 'INITIALIZING', 'ERROR'],
      ...['restart 2 after 200', 'INITIALIZING', 'READY'],
    ])
  })

  test('is not followed by another try where a restart can’t fix what is wrong', async () => {
    const { source, supervisor } = await opened()
    const error = new PluginError('MANIFEST_INVALID', 'no name')
    source.before = () => {
      throw error
    }
    source.last.crash()
    await turns()
    const waiting = expect(supervisor.ready()).rejects.toBe(error)
    await vi.advanceTimersByTimeAsync(1e6)
    await waiting
    expect([source.starts, supervisor.status, supervisor.failure]).toEqual([2, 'ERROR', error])
    await expect(supervisor.ready()).rejects.toBe(error)
    expect(vi.getTimerCount()).toBe(0)
  })
})

test('a first start that fails is not tried again, and stays at ERROR when it is closed', async () => {
  const { source, supervisor, events } = supervise()
  source.before = () => {
    throw transient
  }
  await expect(supervisor.open()).rejects.toBe(transient)
  await expect(supervisor.ready()).rejects.toBe(transient)
  await vi.advanceTimersByTimeAsync(1e6)
  await supervisor.close()
  expect([source.starts, events]).toEqual([1, ['INITIALIZING', 'ERROR']])
})

describe('quarantine', () => {
  const policy = { maxCrashes: 2, windowMs: 1000, retryQuarantinedMs: 5000 }

  test('follows too many crashes; calls fail at once, and there is one try after it', async () => {
    const { source, supervisor, events } = await opened(policy)
    source.last.crash()
    await vi.advanceTimersByTimeAsync(100)
    source.last.crash()
    await turns()
    await expect(supervisor.ready()).rejects.toMatchObject({ codeName: 'PLUGIN_QUARANTINED' })
    expect([supervisor.status, supervisor.failure?.codeName]).toEqual(['ERROR', 'PLUGIN_QUARANTINED'])
    await vi.advanceTimersByTimeAsync(4999)
    expect(source.starts).toBe(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(supervisor.serving).toBe(source.last)
    expect(events.at(-3)).toBe('restart 2 after 5000')
    // The one try must last.
    source.last.crash()
    await turns()
    expect(supervisor.failure?.codeName).toBe('PLUGIN_QUARANTINED')
  })

  test('that a failed restart leads to fails also those that waited for it', async () => {
    const { source, supervisor } = await opened(policy)
    source.before = () => {
      throw transient
    }
    source.last.crash()
    await turns()
    const waiting = expect(supervisor.ready()).rejects.toMatchObject({ codeName: 'PLUGIN_QUARANTINED' })
    await vi.advanceTimersByTimeAsync(100)
    await waiting
  })

  test('ends with a swap', async () => {
    const { source, supervisor } = await opened({ ...policy, maxCrashes: 1 })
    source.last.crash()
    await turns()
    const two = next()
    expect(supervisor.replace(two).previous).toBeUndefined()
    expect(supervisor.serving).toBe(two.instance)
    await vi.advanceTimersByTimeAsync(1e6)
    expect([source.starts, supervisor.restarts]).toEqual([1, 0])
  })
})

describe('health checks', () => {
  const sick = (): Promise<HealthStatus> => Promise.reject(new Error('on fire'))

  test('must fail in a row, and then end the process', async () => {
    const { source, supervisor, events } = await opened(
      { maxMissedHealthChecks: 3 },
      { healthIntervalMs: 10 },
    )
    const { last } = source
    const { check } = last
    last.check = sick
    await vi.advanceTimersByTimeAsync(20)
    expect(supervisor.status).toBe('ERROR')
    last.check = check
    await vi.advanceTimersByTimeAsync(10)
    expect(supervisor.status).toBe('READY')
    last.check = sick
    await vi.advanceTimersByTimeAsync(20)
    expect(last.isRunning).toBe(true)
    await vi.advanceTimersByTimeAsync(10)
    expect(last.isRunning).toBe(false)
    expect(events).toEqual([
      ...['INITIALIZING', 'READY', 'ERROR', 'READY', 'ERROR'],
      ...['gone: one', 'crash: "one"'],
    ])
  })

  test('of a plugin whose answers are left in its pipes say nothing', async () => {
    const { source } = await opened({ maxMissedHealthChecks: 2 }, { healthIntervalMs: 10 })
    const { last } = source
    last.check = vi.fn(sick)
    last.isPaused = true
    await vi.advanceTimersByTimeAsync(100)
    expect([last.isRunning, vi.mocked(last.check).mock.calls]).toEqual([true, []])
    // Its answer may be what is left there.
    last.isPaused = false
    last.check = () => {
      last.isPaused = true
      return sick()
    }
    await vi.advanceTimersByTimeAsync(10)
    last.isPaused = false
    last.check = sick
    await vi.advanceTimersByTimeAsync(10)
    expect(last.isRunning).toBe(true)
  })

  test('a late answer of an instance that was replaced changes nothing', async () => {
    const { source, supervisor, events } = await opened(
      { maxMissedHealthChecks: 1 },
      { healthIntervalMs: 10 },
    )
    const [one] = source.started
    let fail = (): void => {}
    source.last.check = () =>
      new Promise((_, reject) => {
        fail = () => reject(new Error('late'))
      })
    await vi.advanceTimersByTimeAsync(10)
    supervisor.replace(next()).commit()
    fail()
    await vi.advanceTimersByTimeAsync(100)
    expect([supervisor.status, one?.isRunning]).toEqual(['READY', true])
    expect(events).toEqual(['INITIALIZING', 'READY', 'replaced one'])
  })

  test('an answer that a later one has overtaken changes nothing', async () => {
    const { source, supervisor } = await opened({}, { healthIntervalMs: 10 })
    const { last } = source
    const answers: ((status: PluginStatus) => void)[] = []
    last.check = () =>
      new Promise((resolve) => {
        answers.push((status) => resolve({ status, message: '', details: {} }))
      })
    await vi.advanceTimersByTimeAsync(20)
    const [early, late] = answers
    late?.(PluginStatus.ERROR)
    await turns()
    early?.(PluginStatus.READY)
    await turns()
    expect(supervisor.status).toBe('ERROR')
  })
})

describe('a replacement', () => {
  test('serves at once, under its own name; the one before still runs', async () => {
    const { source, supervisor, events } = await opened()
    const two = next()
    const { previous } = supervisor.replace(two)
    expect([supervisor.serving, supervisor.name, supervisor.source]).toEqual([
      two.instance,
      'two',
      two.source,
    ])
    expect(previous).toBe(source.last)
    expect(source.last.isRunning).toBe(true)
    expect(events).toEqual(['INITIALIZING', 'READY', 'replaced one'])
  })

  test('on trial that crashes is undone, without a restart', async () => {
    const { source, supervisor, events } = await opened()
    const two = next()
    const replacement = supervisor.replace(two)
    two.instance.crash()
    await turns()
    expect([supervisor.serving, supervisor.name]).toEqual([source.last, 'one'])
    expect([replacement.undo(), replacement.commit()]).toEqual([true, false])
    await vi.advanceTimersByTimeAsync(1e6)
    expect([source.starts, two.source.starts]).toEqual([1, 0])
    expect(events).toEqual([
      ...['INITIALIZING', 'READY', 'replaced one'],
      ...['gone: two', 'crash: "two"', 'replaced two'],
    ])
  })

  test.each([
    ['it was committed to', true, true],
    ['something would be lost', false, false],
  ])('that crashes is restarted where %s', async (_, canUndo, commits) => {
    const { supervisor } = await opened()
    const two = next('two', canUndo)
    const replacement = supervisor.replace(two)
    if (commits) replacement.commit()
    two.instance.crash()
    await vi.advanceTimersByTimeAsync(100)
    expect(supervisor.serving).toBe(two.source.last)
    expect(replacement.undo()).toBe(false)
  })

  test('begins with no crash to its name, and is checked in place of the one before', async () => {
    const { source, supervisor, events } = await opened({}, { healthIntervalMs: 10 })
    source.last.crash()
    await vi.advanceTimersByTimeAsync(100)
    source.last.check = vi.fn(source.last.check)
    const two = next()
    two.instance.check = vi.fn(two.instance.check)
    supervisor.replace(two).commit()
    await vi.advanceTimersByTimeAsync(50)
    expect(source.last.check).not.toHaveBeenCalled()
    expect(two.instance.check).toHaveBeenCalledTimes(5)
    two.instance.crash()
    await vi.advanceTimersByTimeAsync(100)
    expect(events.filter((event) => event.startsWith('restart'))).toEqual([
      'restart 1 after 100',
      'restart 2 after 100',
    ])
  })

  test('is not undone where the one before has crashed as well', async () => {
    const { source, supervisor, events } = await opened()
    const two = next()
    const replacement = supervisor.replace(two)
    source.last.crash()
    await turns()
    expect(supervisor.serving).toBe(two.instance)
    expect(events.slice(-2)).toEqual(['gone: one', 'crash: "one"'])
    expect(replacement.undo()).toBe(false)
    expect(supervisor.serving).toBe(two.instance)
  })

  test('ends the wait for a restart: nothing else is started, or left', async () => {
    const { source, supervisor } = await opened()
    source.last.crash()
    await turns()
    const ready = supervisor.ready()
    const two = next()
    supervisor.replace(two).commit()
    expect(await ready).toBe(two.instance)
    await vi.advanceTimersByTimeAsync(1e6)
    expect([source.starts, source.running, supervisor.restarts]).toEqual([1, [], 0])
    expect(supervisor.serving).toBe(two.instance)
  })

  test('that overtakes a start ends it', async () => {
    const { source, supervisor } = supervise()
    source.before = untilAborted
    const ready = supervisor.open()
    const two = next()
    supervisor.replace(two).commit()
    expect(await ready).toBe(two.instance)
    await turns()
    expect([source.running, supervisor.serving, supervisor.status]).toEqual([[], two.instance, 'READY'])
  })

  test('that overtakes a start which can’t be ended any more stops what comes of it', async () => {
    const { source, supervisor, events } = supervise()
    source.before = () => vi.advanceTimersByTimeAsync(0).then(() => {})
    void supervisor.open()
    const two = next()
    supervisor.replace(two).commit()
    await vi.advanceTimersByTimeAsync(10)
    expect(source.last.stops).toEqual(['stop'])
    expect(supervisor.serving).toBe(two.instance)
    expect(events).toEqual(['INITIALIZING', 'replaced one', 'READY'])
  })
})

describe('close', () => {
  const notReady = { codeName: 'PLUGIN_NOT_READY' }

  /** How to come to each state. */
  const states: Record<string, () => Promise<Supervision>> = {
    unopened: async () => supervise(),
    starting: async () => {
      const supervision = supervise()
      supervision.source.before = untilAborted
      supervision.supervisor.open().catch(() => {})
      return supervision
    },
    'starting, when it is too late to end the start': async () => {
      const supervision = supervise()
      supervision.source.before = () => new Promise((resolve) => setTimeout(resolve, 10))
      supervision.supervisor.open().catch(() => {})
      return supervision
    },
    serving: () => opened({}, { healthIntervalMs: 10 }),
    'serving on trial': async () => {
      const supervision = await opened()
      supervision.supervisor.replace({ ...next(), source: supervision.source })
      // The one before is for whoever replaced it to stop.
      await supervision.source.last.stop()
      return supervision
    },
    'waiting for a restart': async () => {
      const supervision = await opened()
      supervision.source.last.crash()
      await turns()
      return supervision
    },
    'starting again': async () => {
      const supervision = await opened()
      supervision.source.last.crash()
      supervision.source.before = untilAborted
      await vi.advanceTimersByTimeAsync(100)
      return supervision
    },
    quarantined: async () => {
      const supervision = await opened({ maxCrashes: 1 })
      supervision.source.last.crash()
      await turns()
      return supervision
    },
  }

  test.each(Object.entries(states))('leaves nothing running and starts nothing: %s', async (_, come) => {
    const { source, supervisor, events } = await come()
    const { serving } = supervisor
    const { starts } = source
    const closed = supervisor.close()
    const refused = expect(supervisor.ready()).rejects.toMatchObject(notReady)
    expect(supervisor.serving).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1e6)
    await closed
    await refused
    expect([source.starts, source.running, serving?.isRunning ?? false]).toEqual([starts, [], false])
    expect(events.slice(-2)).toEqual(['SHUTTING_DOWN', 'STOPPED'])
    expect(() => supervisor.replace(next())).toThrow(expect.objectContaining(notReady))
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each(['crash: "one"', 'ERROR', 'restart 1 after 100', 'INITIALIZING', 'READY'])(
    'starts nothing either where it comes from who hears of “%s”',
    async (heard) => {
      let closesOn: string | undefined
      const onEvent = (event: string): void => {
        if (event === closesOn) void supervisor.close()
      }
      const { source, supervisor } = supervise({}, { onEvent })
      await supervisor.open()
      closesOn = heard
      source.last.crash()
      await vi.advanceTimersByTimeAsync(1e6)
      expect(source.starts).toBe(heard === 'READY' ? 2 : 1)
      expect([source.running, supervisor.status]).toEqual([[], 'STOPPED'])
    },
  )

  test('waits for a start that can’t be ended any more', async () => {
    const { source, supervisor } = supervise()
    source.before = () => new Promise((resolve) => setTimeout(resolve, 10))
    supervisor.open().catch(() => {})
    let isClosed = false
    void supervisor.close().then(() => {
      isClosed = true
    })
    await vi.advanceTimersByTimeAsync(9)
    expect(isClosed).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect([isClosed, source.last.stops]).toEqual([true, ['stop']])
  })

  test('fails those that wait for a start', async () => {
    const { source, supervisor } = supervise()
    source.before = untilAborted
    const opening = expect(supervisor.open()).rejects.toMatchObject(notReady)
    await supervisor.close()
    await opening
  })

  test('lets what serves finish, and is not told as a crash if that ends by itself', async () => {
    const { source, supervisor, events } = await opened()
    supervisor.beginClose()
    expect([supervisor.instance, supervisor.serving]).toEqual([source.last, undefined])
    source.last.crash()
    await turns()
    await supervisor.close()
    expect(source.last.stops).toEqual([])
    expect(events).toEqual(['INITIALIZING', 'READY', 'SHUTTING_DOWN', 'gone: one', 'STOPPED'])
  })

  test('says what the shutdown failed with; the status is STOPPED all the same', async () => {
    const { source, supervisor } = await opened()
    source.last.stop = () => Promise.reject(new PluginError('PLUGIN_SHUTDOWN_FAILED', 'no'))
    await expect(supervisor.close()).rejects.toMatchObject({ codeName: 'PLUGIN_SHUTDOWN_FAILED' })
    expect(supervisor.status).toBe(PluginStatus.STOPPED)
  })
})
