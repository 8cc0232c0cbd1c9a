import { evaluate, medians, ratios } from './ratios.mjs'

/** The table of targets: what the project reached, and beside what. */
export function targetsTable(results) {
  const rows = results.flatMap(({ scenario, rounds }) =>
    scenario.targets.map((target) => targetRow(scenario, target, evaluate(target, rounds))),
  )
  return table(['measurement', 'project', 'compared with', 'value', 'target', 'met?'], rows)
}

/** The table of figures: everyone, beside the limit. */
export function figuresTable(results) {
  const rows = results.flatMap(({ scenario, rounds }) => {
    const figures = medians(rounds)
    const compared = scenario.base ? ratios(rounds, scenario.base) : {}
    return Object.entries(figures).map(([contender, figure]) => [
      scenario.title,
      contender,
      `${number(figure)} ${unitOf(scenario, contender)}`,
      isComparable(scenario, contender) ? `${number(compared[contender])} × ${scenario.base}` : '',
    ])
  })
  return table(['measurement', 'contender', 'median', 'ratio'], blankRepeats(rows))
}

/** What bench/results.json holds: nothing that names the machine or its folders. */
export function resultsOf(machine, roundCount, results) {
  return {
    machine,
    rounds: roundCount,
    scenarios: Object.fromEntries(
      results.map(({ scenario, rounds }) => [
        scenario.name,
        {
          title: scenario.title,
          unit: scenario.unit,
          ...(scenario.units ? { units: scenario.units } : {}),
          medians: rounded(medians(rounds)),
          ...(scenario.base ? { base: scenario.base, ratios: comparableRatios(scenario, rounds) } : {}),
          targets: scenario.targets.map((target) => {
            const { value, met } = evaluate(target, rounds)
            return { of: target.of, target: wanted(scenario, target), value: round(value), met }
          }),
        },
      ]),
    ),
  }
}

/** How many targets are missed. */
export function missed(results) {
  return results.flatMap(({ scenario, rounds }) =>
    scenario.targets.filter((target) => !evaluate(target, rounds).met),
  ).length
}

function targetRow(scenario, target, { project, other, value, met }) {
  const { of, against, difference } = target
  const unit = unitOf(scenario, of)
  const isProject = of === 'project'
  return [
    isProject ? scenario.title : `${scenario.title}: ${of}`,
    `${number(project)} ${unit}`,
    against ? `${nameOf(against)}: ${number(other)} ${unit}` : '',
    difference || !against ? `${number(value)} ${unit}` : `${number(value)} ×`,
    wanted(scenario, target),
    met ? 'yes' : 'NO',
  ]
}

/** A target in words: `≥ 0.65 × limit`. */
function wanted(scenario, { of, against, difference, atLeast, atMost, over, under }) {
  const unit = unitOf(scenario, of)
  if (over !== undefined) return `more than ${nameOf(against)}`
  if (under !== undefined) return `less than ${nameOf(against)}`
  const sign = atLeast === undefined ? '≤' : '≥'
  const bound = atLeast ?? atMost
  if (!against) return `${sign} ${bound} ${unit}`
  return difference
    ? `${sign} ${nameOf(against)} + ${bound} ${unit}`
    : `${sign} ${bound} × ${nameOf(against)}`
}

function nameOf(against) {
  return Array.isArray(against) ? 'best with base64' : against
}

function unitOf({ unit, units = {} }, contender) {
  return units[contender] ?? unit
}

/** Whether a contender's figure is of the kind that the base's is, and not the base's own. */
function isComparable({ base, units = {} }, contender) {
  return base !== undefined && contender !== base && !(contender in units)
}

function comparableRatios(scenario, rounds) {
  const compared = Object.entries(ratios(rounds, scenario.base))
  return rounded(Object.fromEntries(compared.filter(([contender]) => isComparable(scenario, contender))))
}

function rounded(figures) {
  return Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, round(value)]))
}

function round(value) {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(3))
}

function number(value) {
  return round(value).toLocaleString('en', { maximumSignificantDigits: 6 })
}

function blankRepeats(rows) {
  return rows.map(([first, ...rest], index) => [rows[index - 1]?.[0] === first ? '' : first, ...rest])
}

/** A table that reads well in a terminal, and is Markdown. */
function table(head, rows) {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => [...row[column]].length)),
  )
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}
