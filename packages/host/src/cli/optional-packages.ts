import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * Imports a package of its own that depends on this one, and is loaded only where it is needed: the one of the working directory’s
 * project, or the one beside this package.
 *
 * @param fits Whether it is what is looked for.
 * @throws Error that says how to install it.
 */
async function importOptional<Module>(
  what: string,
  packageName: string,
  entry: string,
  fits: (loaded: unknown) => loaded is Module,
): Promise<Module> {
  for (const from of [join(process.cwd(), 'package.json'), import.meta.url]) {
    const path = resolved(from, `${packageName}${entry}`)
    const loaded: unknown = path === undefined ? undefined : await import(pathToFileURL(path).href)
    if (fits(loaded)) return loaded
  }
  throw new Error(
    `${what} is a package of its own, which is not installed here. Install it: npm install ${packageName}`,
  )
}

/** Imports the gateway: the package, or its entry `/mcp`. */
export function importGateway<Module>(
  entry: '' | '/mcp',
  fits: (loaded: unknown) => loaded is Module,
): Promise<Module> {
  return importOptional('The gateway', '@appfactory/gateway', entry, fits)
}

/** Imports what clusters need. */
export function importCluster<Module>(fits: (loaded: unknown) => loaded is Module): Promise<Module> {
  return importOptional('The cluster', '@appfactory/cluster', '', fits)
}

function resolved(from: string, name: string): string | undefined {
  try {
    return createRequire(from).resolve(name)
  } catch {
    return undefined
  }
}
