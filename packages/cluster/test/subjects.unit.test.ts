import { describe, expect, it } from 'vitest'
import { checkedName, isName, subjectsOf } from '../src/subjects.js'

describe('names in subjects', () => {
  it.each(['gpu-1', 'a', 'A_9', '0', 'x'.repeat(63)])('takes %j', (value) => {
    expect(checkedName('node', value)).toBe(value)
    expect(isName(value)).toBe(true)
  })

  // Each of these would widen or break a subject, or a permission made from it.
  it.each(['', '.', 'a.b', '*', '>', 'a b', 'a\r\nb', '-a', '_INBOX', 'ä', 'a>', '$SYS', 'x'.repeat(64)])(
    'refuses %j',
    (value) => {
      expect(isName(value)).toBe(false)
      expect(() => checkedName('node', value)).toThrow(TypeError)
      expect(() => checkedName('node', value)).toThrow(/^node: /)
    },
  )

  it('names each subject of a namespace', () => {
    const subjects = subjectsOf('voice')
    expect(subjects.who).toBe('af.voice.who')
    expect(subjects.beat('gpu-1')).toBe('af.voice.beat.gpu-1')
    expect(subjects.dial('tts_flite', 'gpu-1')).toBe('af.voice.dial.tts_flite.gpu-1')
    expect(subjects.admin('gpu-1')).toBe('af.voice.admin.gpu-1')
    expect(subjects.to('gpu-1', 'web', 'p.1')).toBe('af.voice.to.gpu-1.web.p.1')
    expect(subjects.back('web', 'p.1')).toBe('af.voice.back.web.p.1')
  })

  it('refuses a namespace that is no name', () => {
    expect(() => subjectsOf('a.b')).toThrow(/^namespace: /)
  })
})
