import ts from 'typescript-lowest'

/** The lowest TypeScript that the packages support, as an application's compiler and editor have it. */
export class Editor {
  readonly #files: ReadonlyMap<string, string>
  readonly #service: ts.LanguageService

  /** @param files Their texts, by paths that need not exist; their folders decide which packages they find. */
  constructor(files: Readonly<Record<string, string>>, options: ts.CompilerOptions) {
    this.#files = new Map(Object.entries(files))
    const read = (path: string): string | undefined => this.#files.get(path) ?? ts.sys.readFile(path)
    this.#service = ts.createLanguageService({
      getCompilationSettings: () => options,
      getScriptFileNames: () => [...this.#files.keys()],
      getScriptVersion: () => '1',
      getScriptSnapshot: (path) => {
        const text = read(path)
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
      },
      getCurrentDirectory: () => import.meta.dirname,
      getDefaultLibFileName: ts.getDefaultLibFilePath,
      fileExists: (path) => this.#files.has(path) || ts.sys.fileExists(path),
      readFile: read,
      realpath: (path) => ts.sys.realpath?.(path) ?? path,
      directoryExists: ts.sys.directoryExists,
      getDirectories: ts.sys.getDirectories,
    })
  }

  /** What the compiler says of a file. */
  errors(path: string): string[] {
    const found = [
      ...this.#service.getSyntacticDiagnostics(path),
      ...this.#service.getSemanticDiagnostics(path),
    ]
    return found.map(({ messageText }) => `${path}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`)
  }

  /** Declarations of our packages that have been read. */
  declarations(): string[] {
    const files = this.#service.getProgram()?.getSourceFiles() ?? []
    return files.map(({ fileName }) => fileName).filter(isOurs)
  }

  /** What the editor shows at the first place of `word`: its type, and its documentation. */
  hover(path: string, word: string): { type: string; documentation: string } {
    const at = this.#files.get(path)?.indexOf(word) ?? -1
    if (at < 0) throw new Error(`${path} has no ${word}`)
    const info = this.#service.getQuickInfoAtPosition(path, at)
    return {
      type: ts.displayPartsToString(info?.displayParts),
      documentation: ts.displayPartsToString(info?.documentation),
    }
  }

  /** Members of what a module exports, in files of ours, that have no documentation: `HostOptions.logLevel`. */
  undocumented(path: string): string[] {
    const program = this.#service.getProgram()
    const file = program?.getSourceFile(path)
    const checker = program?.getTypeChecker()
    const module = file && checker?.getSymbolAtLocation(file)
    if (!module || !checker) throw new Error(`${path} is no module`)
    return checker.getExportsOfModule(module).flatMap((exported) => {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      const own = isDocumented(symbol, checker) ? [] : [exported.name]
      return [
        ...own,
        ...membersOf(symbol, checker)
          .filter((member) => !isDocumented(member, checker))
          .map((member) => `${exported.name}.${member.name}`),
      ]
    })
  }
}

function isOurs(path: string): boolean {
  return /packages\/(sdk|host)\/dist\//.test(path)
}

function isDocumented(symbol: ts.Symbol, checker: ts.TypeChecker): boolean {
  return symbol.getDocumentationComment(checker).length > 0
}

/** Of a class or a type: what stands in the packages' own declarations, and is not private. */
function membersOf(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Symbol[] {
  if (!(symbol.flags & (ts.SymbolFlags.Class | ts.SymbolFlags.Interface | ts.SymbolFlags.TypeAlias)))
    return []
  const type = checker.getDeclaredTypeOfSymbol(symbol)
  // The members of a union have documentation of their own.
  if (type.isUnion()) return []
  return type.getProperties().filter(({ name, declarations = [] }) => {
    const isDeclaredHere = declarations.some((each) => isOurs(each.getSourceFile().fileName))
    // Neither private members nor symbols, such as [Symbol.asyncDispose].
    return isDeclaredHere && !/^__@|#/.test(name)
  })
}
