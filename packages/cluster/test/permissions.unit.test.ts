import { describe, expect, it } from 'vitest'
import { natsConfig } from '../src/nats-config.js'
import { adminPermissions, callerPermissions, nodePermissions } from '../src/permissions.js'

const reads = [
  '$JS.API.STREAM.INFO.KV_AF_voice',
  '$JS.API.DIRECT.GET.KV_AF_voice',
  '$JS.API.DIRECT.GET.KV_AF_voice.$KV.AF_voice.>',
]

describe('permissions', () => {
  it('of a node are for its own name', () => {
    const { publish, subscribe } = nodePermissions('voice', 'gpu-1')
    expect(publish).toEqual([
      ...['af.voice.beat.gpu-1', 'af.voice.who', 'af.voice.who.gpu-1', 'af.voice.back.*.>'],
      ...reads,
      '$KV.AF_voice.leases.*',
    ])
    expect(subscribe).toEqual(
      expect.arrayContaining(['af.voice.dial.*.gpu-1', 'af.voice.to.gpu-1.*.>', 'af.voice.admin.gpu-1']),
    )
  })

  it('of a caller do not let it manage, nor read what others are sent', () => {
    const { publish, subscribe } = callerPermissions('voice', 'web', ['tts_flite'])
    expect(publish).toEqual(['af.voice.who', 'af.voice.to.*.web.>', 'af.voice.dial.tts_flite.*'])
    expect(subscribe).toEqual(['af.voice.beat.*', 'af.voice.back.web.>'])
  })

  it('of an administrator are those of a caller, and to manage', () => {
    const { publish, subscribe } = adminPermissions('voice', 'boss')
    expect(publish).toEqual(expect.arrayContaining(['af.voice.admin.*', ...reads, '$KV.AF_voice.plugins.*']))
    expect(subscribe).toContain('af.voice.inbox.boss.>')
  })

  it('let nobody have messages delivered by JetStream, nor a caller see what is wanted', () => {
    const all = [
      nodePermissions('voice', 'a'),
      adminPermissions('voice', 'b'),
      callerPermissions('voice', 'c'),
    ]
    for (const { publish } of all)
      expect(
        publish.filter((subject) => /CONSUMER|\$JS\.API\.>|STREAM\.(UPDATE|DELETE|PURGE)/.test(subject)),
      ).toEqual([])
    const { publish, subscribe } = callerPermissions('voice', 'c')
    expect([...publish, ...subscribe].filter((subject) => /^\$|desired|inbox/.test(subject))).toEqual([])
  })
})

describe('the configuration of a NATS server', () => {
  it('has a user and a secret file for each name', () => {
    const files = natsConfig({
      namespace: 'voice',
      nodes: ['gpu-1', 'gpu-2'],
      callers: ['web'],
      admins: ['boss'],
    })
    const [config, ...seeds] = files
    expect(config).toMatchObject({ name: 'nats-server.conf', isSecret: false })
    expect(seeds.map(({ name, isSecret }) => [name, isSecret])).toEqual([
      ['gpu-1.nkey', true],
      ['gpu-2.nkey', true],
      ['web.nkey', true],
      ['boss.nkey', true],
    ])
    for (const { text } of seeds) {
      expect(text).toMatch(/^# name: \S+\nSU[A-Z2-7]{56}\n$/)
      expect(config?.text).not.toContain(text.split('\n')[1])
    }
    expect(config?.text.match(/nkey: U[A-Z2-7]{55}\n/g)).toHaveLength(4)
  })

  it.each([
    ['no nodes', { nodes: [] }, /name at least one/],
    ['a name that is none', { nodes: ['a.b'] }, /^node: /],
    ['a caller that widens a permission', { nodes: ['a'], callers: ['>'] }, /^caller: /],
    ['a namespace that is none', { namespace: '*', nodes: ['a'] }, /^namespace: /],
    ['a name twice', { nodes: ['a'], callers: ['a'] }, /"a" is named twice/],
    ['others without TLS', { nodes: ['a'], address: '0.0.0.0' }, /in clear text/],
  ])('is refused with %s', (_, options, reason) => {
    expect(() => natsConfig({ namespace: 'voice', ...options })).toThrow(reason)
  })
})
