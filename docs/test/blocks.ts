// Every fenced code block of README.md, docs/*.md and docs/guide*/*.md says behind its language what it is, and is run or
// checked as such. A block that says nothing, or something unknown, makes the test fail.
//
//   any language
//     file=PATH          is written to the reader's folder (a temporary one for each document, and one for all of the guide)
//                        before anything runs. A manifest.json is checked as a manifest too; a .ts is type-checked too.
//     append=PATH        is added to the end of a file that an earlier block wrote.
//   ts
//     run                a program: type-checked, then run with node. js: the same, without the types.
//     plugin=CONTRACT    a whole plugin: loaded in a host, and each method of its contract called.
//     members=CONTRACT   members of a plugin class: put into a class that has the rest, then as plugin=.
//     shape=TYPE         an interface of the same name: the TYPE that the SDK exports must fit it.
//   python
//     plugin=CONTRACT    a whole plugin: loaded in a host, and each method of its contract called.
//     members=CONTRACT   methods of a plugin class, or a class without some of them: put into a class that has the rest, then
//                        as plugin=.
//     shape=CONTRACT     a class whose methods have no bodies: loaded with the rest, and each must be there; shape=base: each
//                        must be as in contracts.base.
//     test=FOLDER        a test of the plugin in that folder: run with pytest, where the wheel is installed. from=FOLDER: with a
//                        copy of that plugin.
//   json
//     manifest           a whole manifest.
//     manifest-part      keys of a manifest: checked together with the required ones.
//     value              anything that is JSON.
//   jsonl
//     host               a conversation with appfactory-host: "--> " is sent, "<-- " must be answered. One process serves
//                        all blocks of a document, in order.
//     plugin             the same with a plugin's process, in Node and in Python; plugin=FILE: with that file of the reader's folder.
//   sh
//     run                run with bash.
//     syntax             bash -n only: for commands that need a network, a terminal or a fresh clone.
//   text
//     output             what the `run` block before it printed.
//     shown              what another command prints: the test of the document compares it.
//     tree               names of files: each must be in the reader's folder.
//
// Besides, `run` takes in=FOLDER (a folder of the reader's; default: the root of the repository) and exit=STATUS (default: 0);
// `plugin` and `members` take config=JSON, without spaces. In what is compared, … stands for anything: in `text output` for
// the rest of a word or line or, on a line of its own, for any lines; in `jsonl` for any value, the rest of a string, the
// rest of an array (as last item) or any further members of an object (as key).

export interface Block {
  /** As in `guide/manifest.md:12`. */
  place: string
  language: string
  /** The first word, or the first key, behind the language: `run`, `file`, `plugin`… */
  kind: string
  attributes: Readonly<Record<string, string>>
  text: string
}

const kinds: Record<string, readonly string[]> = {
  ts: ['run', 'plugin', 'members', 'shape'],
  js: ['run'],
  python: ['plugin', 'members', 'shape', 'test'],
  json: ['manifest', 'manifest-part', 'value'],
  jsonl: ['host', 'plugin'],
  sh: ['run', 'syntax'],
  text: ['output', 'shown', 'tree'],
}

const fence = /^ *(`{3,}|~{3,})[ \t]*(.*)\n([\s\S]*?)^ *\1[ \t]*$/gm

/** The code blocks of a document, in order. */
export function blocksOf(document: string, markdown: string): Block[] {
  return [...markdown.matchAll(fence)].map(({ index, 2: info = '', 3: text = '' }) => {
    const [language = '', ...words] = info.trim().split(/\s+/)
    const pairs = words.map((word) => /^([^=]+)=?(.*)$/s.exec(word)?.slice(1) ?? [])
    return {
      place: `${document}:${markdown.slice(0, index).split('\n').length}`,
      language,
      kind: pairs[0]?.[0] ?? '',
      attributes: Object.fromEntries(pairs) as Record<string, string>,
      text,
    }
  })
}

/** A document without its code blocks. */
export function proseOf(markdown: string): string {
  return markdown.replace(fence, '')
}

/** Whether the test knows what to do with a block. */
export function isKnown({ language, kind }: Block): boolean {
  return (['file', 'append'].includes(kind) && language !== '') || (kinds[language]?.includes(kind) ?? false)
}
