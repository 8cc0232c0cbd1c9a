import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const packageName = '@appfactory/gateway'

/**
 * Imports the gateway, a package of its own that depends on this one: the one of the working directory’s project, or the one beside
 * this package.
 *
 * @param entry What is imported of it: the package, or `/mcp`.
 * @param fits Whether it is what is looked for.
 * @throws Error that says how to install it.
 */
export async function importGateway<Module>(
  entry: '' | '/mcp',
  fits: (loaded: unknown) => loaded is Module,
): Promise<Module> {
  for (const from of [join(process.cwd(), 'package.json'), import.meta.url]) {
    const path = resolved(from, `${packageName}${entry}`)
    const loaded: unknown = path === undefined ? undefined : await import(pathToFileURL(path).href)
    if (fits(loaded)) return loaded
  }
  throw new Error(
    `The gateway is a package of its own, which is not installed here. Install it: npm install ${packageName}`,
  )
}

function resolved(from: string, name: string): string | undefined {
  try {
    return createRequire(from).resolve(name)
  } catch {
    return undefined
  }
}
