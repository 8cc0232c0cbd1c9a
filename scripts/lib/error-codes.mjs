import { errorTable } from '@appfactory/sdk'

/** config/error_codes.yaml: the codes by name, for programs in any language. */
export function errorCodesYaml() {
  const entries = errorTable.map(
    ({ code, name, description, advice }) =>
      `${name}:\n  code: ${code}\n  description: ${JSON.stringify(description)}\n  advice: ${JSON.stringify(advice)}\n`,
  )
  return `# Made from packages/sdk/src/errors.ts by \`pnpm generate\`; do not edit.\n${entries.join('')}`
}

/** docs/error-codes.md: the codes as a table. */
export function errorCodesMarkdown() {
  const rows = errorTable.map(
    ({ code, name, description, advice }) => `| ${code} | \`${name}\` | ${description} | ${advice} |\n`,
  )
  return `# Error codes\n\nMade from packages/sdk/src/errors.ts by \`pnpm generate\`; do not edit.\n\n| Code | Name | What happened | What to do |\n|---:|---|---|---|\n${rows.join('')}`
}

/** packages/python/src/appfactory/error_codes.py: the codes for Python. */
export function errorCodesPython() {
  const codes = errorTable.map(({ code, name }) => `    ${name} = ${code}\n`)
  const descriptions = errorTable.map(
    ({ code, description }) => `    ${code}: ${JSON.stringify(description)},\n`,
  )
  return `"""Made from packages/sdk/src/errors.ts by \`pnpm generate\`; do not edit."""


class ErrorCodes:
    """Every error code of App Factory, by name."""

${codes.join('')}

DESCRIPTIONS = {
${descriptions.join('')}}
`
}
