import { expect } from 'vitest'

/** The samples of a text in Prometheus' format by name and labels; fails where the text breaks a rule of the format. */
export function parsePrometheus(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  const types = new Map<string, string>()
  let current = ''
  expect(text.endsWith('\n')).toBe(true)
  for (const line of text.slice(0, -1).split('\n')) {
    const [, comment, named = '', rest = ''] =
      /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line) ?? []
    if (comment === 'HELP') {
      expect(types.has(named), `${named} comes twice`).toBe(false)
      current = named
    } else if (comment === 'TYPE') {
      expect([named, ['counter', 'gauge', 'histogram'].includes(rest)], line).toEqual([current, true])
      types.set(named, rest)
    } else {
      const [, name = '', labels = '', value = ''] =
        /^([a-z_]+)((?:\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})?) (\S+)$/.exec(
          line,
        ) ?? []
      expect(name, line).not.toBe('')
      const family = types.get(current) === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name
      expect(family, line).toBe(current)
      expect(Number.isNaN(Number(value.replace('+Inf', 'Infinity'))), line).toBe(false)
      expect(samples.has(name + labels), `${line} comes twice`).toBe(false)
      samples.set(name + labels, Number(value))
    }
  }
  return samples
}
