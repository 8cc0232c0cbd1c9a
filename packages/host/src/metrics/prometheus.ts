// Prometheus' text format, version 0.0.4.

export const prometheusType = 'text/plain; version=0.0.4; charset=utf-8'

type LabelPairs = readonly (readonly [name: string, value: string])[]

/** One line: the end of the metric's name if it has one, its labels and its value. */
export interface Sample {
  suffix?: '_bucket' | '_sum' | '_count'
  labels: LabelPairs
  value: number
}

export interface Family {
  name: string
  type: 'counter' | 'gauge' | 'histogram'
  /** One sentence. */
  help: string
  samples: Iterable<Sample>
}

/** All families, each with its help and type. One without samples is left out. */
export function prometheusText(families: Iterable<Family>): string {
  let text = ''
  for (const family of families) text += familyText(family)
  return text
}

function familyText({ name, type, help, samples }: Family): string {
  let lines = ''
  for (const { suffix = '', labels, value } of samples)
    lines += `${name}${suffix}${labelsText(labels)} ${valueText(value)}\n`
  return lines === '' ? '' : `# HELP ${name} ${escapedHelp(help)}\n# TYPE ${name} ${type}\n${lines}`
}

function labelsText(labels: LabelPairs): string {
  if (labels.length === 0) return ''
  return `{${labels.map(([name, value]) => `${name}="${escapedLabel(value)}"`).join(',')}}`
}

function valueText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}

function escapedHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapedLabel(value: string): string {
  return escapedHelp(value).replaceAll('"', '\\"')
}
