// A loader hook for plugins without an SDK of their own: `@appfactory/sdk` is then the copy that runs this file.

import { fileURLToPath } from 'node:url'

interface Context {
  parentURL?: string | undefined
}

type Next<Result> = (specifier: string, context: Context) => Result

export function resolveSdk<Result>(specifier: string, context: Context, next: Next<Result>): Result {
  return next(specifier, isSdk(specifier) ? { ...context, parentURL: import.meta.url } : context)
}

function isSdk(specifier: string): boolean {
  return specifier === '@appfactory/sdk' || specifier.startsWith('@appfactory/sdk/')
}

type ResolveFilename = (this: unknown, request: string, ...rest: unknown[]) => string

/** The same for require(): Node's off-thread hooks do not see it, and its others do not look from another place. */
export function resolveSdkInRequire(modules: object): void {
  const original = Reflect.get(modules, '_resolveFilename') as ResolveFilename
  const resolve: ResolveFilename = function (request, ...rest) {
    return isSdk(request)
      ? fileURLToPath(import.meta.resolve(request))
      : Reflect.apply(original, this, [request, ...rest])
  }
  Reflect.set(modules, '_resolveFilename', resolve)
}

/** The name under which Node's off-thread hooks look for it. */
export { resolveSdk as resolve }
