/** 0.42 ms, 12.5 ms, 340 ms, 2.31 s. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–'
  if (ms < 10) return `${ms.toFixed(2)} ms`
  if (ms < 100) return `${ms.toFixed(1)} ms`
  if (ms < 1000) return `${Math.round(ms)} ms`
  return `${(ms / 1000).toFixed(2)} s`
}

/** 42 s, 3 min 12 s, 2 h 5 min. */
export function uptime(seconds: number | undefined): string {
  if (seconds === undefined) return '–'
  const whole = Math.floor(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

export function count(value: number | undefined): string {
  return value === undefined ? '–' : Math.round(value).toLocaleString('en')
}

export function megabytes(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : `${value.toFixed(value < 100 ? 1 : 0)} MB`
}

export function bytes(value: number): string {
  if (value < 1000) return `${value} bytes`
  return value < 1e6 ? `${(value / 1000).toFixed(1)} kB` : `${(value / 1e6).toFixed(2)} MB`
}

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
