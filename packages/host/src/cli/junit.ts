import type { CheckReport, CheckResult } from '@appfactory/sdk/testing'

/** A report as JUnit XML, which CI systems read. Blocked checks count as skipped there. */
export function junitOf({
  plugin,
  contract,
  failed,
  skipped,
  blocked,
  durationMs,
  results,
}: CheckReport): string {
  const counts = `tests="${results.length}" failures="${failed}" errors="0" skipped="${skipped + blocked}" time="${seconds(durationMs)}"`
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites ${counts}>
  <testsuite name="${xml(`${plugin} (${contract})`)}" ${counts}>
${results.map(testCase).join('\n')}
  </testsuite>
</testsuites>
`
}

function testCase({ id, title, status, reason = '', note, durationMs }: CheckResult): string {
  const head = `    <testcase classname="${xml(id)}" name="${xml(title)}" time="${seconds(durationMs)}"`
  if (status === 'passed')
    return note === undefined
      ? `${head}/>`
      : `${head}>\n      <system-out>${xml(note)}</system-out>\n    </testcase>`
  if (status === 'failed') return `${head}>\n      <failure message="${xml(reason)}"/>\n    </testcase>`
  return `${head}>\n      <skipped message="${xml(reason)}"/>\n    </testcase>`
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3)
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\n': '&#10;',
  '\r': '&#13;',
  '\t': '&#9;',
}

/** Text inside an attribute or an element; characters that XML can't represent become U+FFFD. */
function xml(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML forbids.
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
      .replace(/[&<>"\n\r\t]/g, (character) => entities[character] ?? character)
  )
}
