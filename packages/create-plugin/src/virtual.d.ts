// Made by scripts/embed.mjs, for the bundle and for the tests.
declare module 'virtual:templates' {
  /** Precompiled, by their path in templates/ without `.hbs`. */
  const templates: Readonly<Record<string, TemplateSpecification>>
  export default templates
}

declare module 'virtual:examples' {
  /** The files of each example that can be copied, by their path in its folder. */
  const examples: Readonly<Record<string, Readonly<Record<string, string>>>>
  export default examples
}

declare module 'virtual:versions' {
  /** Of this package. */
  export const version: string
  /** Ranges for the package.json of what is made: those that this release is tested with. */
  export const ranges: Readonly<Record<string, string>>
}

/** The part of Handlebars that renders templates that are compiled already. */
declare module 'handlebars/runtime' {
  const runtime: { template: typeof import('handlebars').template }
  export default runtime
}
