// How numbers, times and sizes are written on the page.

/** What stands in place of a figure that nobody knows. */
const unknown = '–'

/** 0.42 ms, 12.5 ms, 340 ms, 2.31 s. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return unknown
  if (ms < 10) return `${ms.toFixed(2)} ms`
  if (ms < 100) return `${ms.toFixed(1)} ms`
  if (ms < 1000) return `${Math.round(ms)} ms`
  return `${(ms / 1000).toFixed(2)} s`
}

/** 0.4 s, 12.5 s. @param ms In ms. */
export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

/** 42 s, 3 min 12 s, 2 h 5 min. @param given In seconds. */
export function uptime(given: number | undefined): string {
  if (given === undefined) return unknown
  const whole = Math.floor(given)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

export function count(value: number | undefined): string {
  return value === undefined ? unknown : Math.round(value).toLocaleString('en')
}

/** 1 line, 2 lines. */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`
}

export function megabytes(value: number | null | undefined): string {
  return value === null || value === undefined ? unknown : `${value.toFixed(value < 100 ? 1 : 0)} MB`
}

export function bytes(value: number): string {
  if (value < 1000) return `${value} bytes`
  return value < 1e6 ? `${(value / 1000).toFixed(1)} kB` : `${(value / 1e6).toFixed(2)} MB`
}

/** For an axis: three digits at most, and k for thousands. */
export function short(value: number): string {
  if (value >= 10_000) return `${Math.round(value / 1000)}k`
  return String(Number(value.toPrecision(3)))
}

/** For a figure beside a chart: 1.5, 12. */
export function rounded(value: number | null | undefined): string {
  return value === undefined || value === null ? unknown : value.toFixed(value < 10 ? 1 : 0)
}

/** @param at In ms since 1970. */
export function clock(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB')
}

/** With milliseconds. */
export function exactClock(at: number): string {
  return `${clock(at)}.${String(at % 1000).padStart(3, '0')}`
}

/** A number among the details that a plugin or the host gave. */
export function figure(details: Record<string, unknown> | undefined, name: string): number | undefined {
  const value = details?.[name]
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}
