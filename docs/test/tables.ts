/** The first column of the tables under a heading, without its marks. */
export function firstColumn(text: string, heading: string): string[] {
  return tableOf(text, heading).map(([first = '']) => first)
}

/** The rows of the tables under a heading (to the next heading of any level), without their heads and marks. */
export function tableOf(text: string, heading: string): string[][] {
  const [, section = ''] =
    new RegExp(`^#+ ${heading}\\n([\\s\\S]*?)(?=^#|(?![\\s\\S]))`, 'm').exec(text) ?? []
  return section
    .split('\n')
    .filter(
      (line, index, lines) => line.startsWith('|') && !/^\|[-\s|:]+$/.test(line) && !isHead(lines, index),
    )
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.replaceAll('`', '').trim()),
    )
}

function isHead(lines: readonly string[], index: number): boolean {
  return /^\|[-\s|:]+$/.test(lines[index + 1] ?? '')
}
