const namespace = 'http://www.w3.org/2000/svg'
const rows = ['listens', 'writes', 'speaks']
const [left, width, rowHeight] = [80, 860, 46]

/**
 * Draws who did what when. Times are in ms.
 *
 * @param turn `heard`, `written` and `spoken`: from when to when, or undefined.
 */
export function draw(picture, { heard, written, spoken }) {
  const spans = [heard, written, spoken].map((span, row) => span && { row, from: span[0], to: span[1] })
  const known = spans.filter(Boolean)
  const start = Math.min(...known.map(({ from }) => from))
  const end = Math.max(...known.map(({ to }) => to), start + 1)
  const x = (ms) => left + ((ms - start) / (end - start)) * (width - left - 20)
  picture.replaceChildren(
    ...rows.map((name, row) => element('text', { x: 4, y: row * rowHeight + 32 }, name)),
    ...known.map(({ row, from, to }) =>
      element('rect', {
        class: ['hear', 'write', 'speak'][row],
        x: x(from),
        y: row * rowHeight + 12,
        width: Math.max(3, x(to) - x(from)),
        height: 30,
        rx: 4,
      }),
    ),
    element('text', { x: left, y: 160 }, '0'),
    element(
      'text',
      { x: width - 20, y: 160, 'text-anchor': 'end' },
      `${((end - start) / 1000).toFixed(1)} s`,
    ),
  )
}

function element(name, attributes, text = '') {
  const made = document.createElementNS(namespace, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.textContent = text
  return made
}
