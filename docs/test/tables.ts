/** The first column of the tables under a heading (to the next heading of any level), without its marks. */
export function firstColumn(text: string, heading: string): string[] {
  const [, section = ''] =
    new RegExp(`^#+ ${heading}\\n([\\s\\S]*?)(?=^#|(?![\\s\\S]))`, 'm').exec(text) ?? []
  return section
    .split('\n')
    .filter(
      (line, index, lines) => line.startsWith('|') && !/^\|[-\s|:]+$/.test(line) && !isHead(lines, index),
    )
    .map((line) => (line.split('|')[1] ?? '').replaceAll('`', '').trim())
}

function isHead(lines: readonly string[], index: number): boolean {
  return /^\|[-\s|:]+$/.test(lines[index + 1] ?? '')
}
