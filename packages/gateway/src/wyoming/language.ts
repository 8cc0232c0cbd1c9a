/** The tag that is the same, or the first one of the same language. */
export function closestLanguage(wanted: string, known: readonly string[]): string | undefined {
  return known.find((tag) => plain(tag) === plain(wanted)) ?? known.find((tag) => base(tag) === base(wanted))
}

function plain(tag: string): string {
  return tag.toLowerCase().replaceAll('_', '-')
}

function base(tag: string): string | undefined {
  return plain(tag).split('-', 1)[0]
}
