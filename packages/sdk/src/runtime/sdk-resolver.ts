// A loader hook for plugins without an SDK of their own: `@appfactory/sdk` is then the copy that runs this file.

interface Context {
  parentURL?: string | undefined
}

type Next<Result> = (specifier: string, context: Context) => Result

export function resolveSdk<Result>(specifier: string, context: Context, next: Next<Result>): Result {
  const isSdk = specifier === '@appfactory/sdk' || specifier.startsWith('@appfactory/sdk/')
  return next(specifier, isSdk ? { ...context, parentURL: import.meta.url } : context)
}

/** The name under which Node's off-thread hooks look for it. */
export { resolveSdk as resolve }
