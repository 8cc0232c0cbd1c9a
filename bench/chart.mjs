const left = 130
const barWidth = 400
const barHeight = 18
const step = 24
const groupTop = 30
const width = 620

/** Bars for calls and audio, each as a ratio to the limit, in the order of their length. */
export function chart({ scenarios }) {
  const groups = [
    { title: 'Calls per second, 64 in flight', ratios: isolated(scenarios['calls'].ratios) },
    { title: 'Replies of 1 MiB per second, 4 in flight', ratios: isolated(scenarios['audio'].ratios) },
  ]
  const longest = Math.max(1, ...groups.flatMap(({ ratios }) => Object.values(ratios)))
  let top = 0
  const drawn = groups.map((group) => {
    const text = drawGroup(group, top, longest)
    top += groupTop + Object.keys(group.ratios).length * step + 22
    return text
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top}" role="img" aria-labelledby="title" font-family="system-ui, sans-serif" font-size="13">
<title id="title">${escaped(describe(groups))}</title>
<style>text{fill:#333}.quiet{fill:#777;font-size:11px}.head{font-weight:600}rect{fill:#8ecae6;rx:3px}.own{fill:#2a9d8f}line{stroke:#999;stroke-dasharray:3 3}
@media (prefers-color-scheme:dark){text{fill:#ddd}.quiet{fill:#aaa}rect{fill:#4d7f96}.own{fill:#2a9d8f}}</style>
${drawn.join('\n')}
</svg>
`
}

/** All but the worker thread: it shares its process with the application, and hands bytes over without a copy. */
function isolated({ 'worker threads': _shared, ...ratios }) {
  return ratios
}

function drawGroup({ title, ratios }, top, longest) {
  const scale = barWidth / longest
  const bars = Object.entries(ratios).sort(([, a], [, b]) => b - a)
  const bottom = top + groupTop + bars.length * step
  const limit = left + scale
  return [
    `<text class="head" x="10" y="${top + 18}">${escaped(title)}</text>`,
    ...bars.map(([name, ratio], index) => drawBar(name, ratio, ratio * scale, top + groupTop + index * step)),
    `<line x1="${limit.toFixed(1)}" x2="${limit.toFixed(1)}" y1="${top + groupTop - 4}" y2="${bottom}"/>`,
    `<text class="quiet" text-anchor="middle" x="${limit.toFixed(1)}" y="${bottom + 10}">1 = bare pipes</text>`,
  ].join('\n')
}

function drawBar(name, ratio, length, y) {
  const isOwn = name === 'project'
  const label = isOwn ? 'App Factory' : name
  const baseline = y + barHeight - 5
  return [
    `<text text-anchor="end" x="${left - 8}" y="${baseline}">${escaped(label)}</text>`,
    `<rect${isOwn ? ' class="own"' : ''} x="${left}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}"/>`,
    `<text x="${(left + length + 6).toFixed(1)}" y="${baseline}">${ratio.toFixed(2)}</text>`,
  ].join('\n')
}

function describe(groups) {
  const told = groups.map(({ title, ratios }) => `${title}: ${ratios['project'].toFixed(2)} of bare pipes`)
  return `App Factory and its peers, measured against bare pipes. ${told.join('. ')}`
}

function escaped(text) {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
}
