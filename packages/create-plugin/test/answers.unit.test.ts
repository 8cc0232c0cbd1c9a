import { describe, expect, it } from 'vitest'
import { type AnswerKey, questions, type Surroundings } from '../src/answers.js'
import { flagsOf, quote } from '../src/command-line.js'
import { configOption, zodSource } from '../src/config-options.js'
import { UsageError } from '../src/failures.js'
import { classNameOf, nameProblem, titleOf } from '../src/names.js'
import { checkGiven, type Given, openQuestions, withDefaults } from '../src/read-answers.js'
import { markdownText, sourceString } from '../src/text.js'

const surroundings: Surroundings = { packageManager: 'npm' }

function problemsOf(given: Given): string {
  try {
    checkGiven(given)
    return ''
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
}

describe('names', () => {
  it.each(['a', 'my_tts_plugin', 'my-plugin', 'x1', 'con_artist', 'null', 'test', 'zod_plugin'])(
    'takes %s',
    (name) => {
      expect(nameProblem(name)).toBeUndefined()
    },
  )

  it.each([
    ['', /empty/],
    ['My Plugin', /for example my_plugin/],
    ['myPlugin', /for example my_plugin/],
    ['../x', /path/],
    ['..', /path/],
    ['.', /path/],
    ['a/b', /path/],
    ['a\\b', /path/],
    ['/etc', /path/],
    ['con', /Windows/],
    ['CON', /Windows/],
    ['nul', /Windows/],
    ['aux.txt', /Windows/],
    ['com1', /Windows/],
    ['lpt9', /Windows/],
    ['x.', /for example x/],
    ['x ', /for example x/],
    ['.x', /for example x/],
    ['_x', /for example x/],
    ['x__y', /for example x_y/],
    ['node_modules', /npm/],
    ['zod', /a package that the plugin uses/],
    ['vitest', /a package that the plugin uses/],
    ['typescript', /a package that the plugin uses/],
    ['http', /the name of a Node module/],
    ['events', /the name of a Node module/],
    ['Zod', /letters and digits, joined by _ or -$/],
    ['favicon.ico', /npm/],
    ['1st', /for example st/],
    ['🙂', /not lower-case words/],
    ['{{name}}', /for example name/],
    ["x';rm", /for example x_rm/],
    ['x\ny', /for example x_y/],
    ['a'.repeat(101), /101 characters/],
    ['a'.repeat(10_000), /10000 characters/],
  ])('refuses %j', (name, reason) => {
    expect(nameProblem(name)).toMatch(reason)
  })

  it('makes names for people and for code', () => {
    expect(titleOf('my_tts-plugin')).toBe('My TTS Plugin')
    expect(classNameOf('my_tts-plugin')).toBe('MyTtsPlugin')
    expect(classNameOf('speech')).toBe('SpeechPlugin')
  })
})

describe('checks', () => {
  it.each<[AnswerKey, string, RegExp]>([
    ['contract', 'ttss', /Did you mean tts\?/],
    ['contract', 'speech', /Available: tts, stt, llm, embedding, custom$/],
    ['language', 'typscript', /Did you mean typescript\?/],
    ['from', 'tts_ton', /Did you mean tts_tone\?/],
    ['engine', 'htpp', /Did you mean http\?/],
    ['packageManager', 'pnpn', /Did you mean pnpm\?/],
    ['displayName', 'two\nlines', /U\+000A/],
    ['description', 'x\u2028y', /U\+2028/],
    ['author', '\u001b[31mred', /U\+001B/],
    ['author', 'turned \u202e round', /U\+202E/],
    ['author', 'half \ud83d', /U\+D83D/],
    ['displayName', 'x'.repeat(10_000), /10000 characters; at most 100/],
    ['description', 'x'.repeat(10_000), /at most 500/],
    ['author', 'x'.repeat(10_000), /at most 200/],
  ])('refuses the %s %j', (key, value, reason) => {
    expect(problemsOf({ [key]: value })).toMatch(reason)
  })

  it.each([
    ['retries', /no valid type/],
    ['retries:int', /Did you mean|no valid type/],
    ['retries:intger', /Did you mean retries:integer\?/],
    ['retries:integer=x', /"x" is not of type integer/],
    ['retries:integer=1.5', /"1.5" is not of type integer/],
    ['on:boolean=yes', /is not of type boolean/],
    ['apiKey:string', /snake_case/],
    ['__proto__:string', /snake_case/],
    [':string', /snake_case/],
    [`x:string=${'y'.repeat(10_000)}`, /at most 60/],
    ['x:string=a\nb', /U\+000A/],
  ])('refuses the config option %j', (option, reason) => {
    expect(problemsOf({ config: [option] })).toMatch(reason)
  })

  it('refuses a config option that is there twice', () => {
    expect(problemsOf({ config: ['x:string', 'x:integer'] })).toMatch(/x is given twice/)
  })

  it.each<Given>([
    { contract: 'tts', config: ['voice:integer=3'] },
    { contract: 'tts', config: ['words_per_minute:string'] },
    { contract: 'stt', config: ['retries:integer', 'words_per_minute:integer=3'] },
    { contract: 'llm', config: ['max_words:integer=3'] },
    { contract: 'custom', config: ['dimensions:integer=3'] },
    { contract: 'llm', engine: 'http', config: ['retries:integer=3'] },
    { contract: 'stt', engine: 'command', config: ['timeout_ms:integer=3'] },
  ])('refuses a config option that the new plugin has: %j', (given) => {
    expect(problemsOf(given)).toMatch(/^--config: .* is already an option/)
  })

  it('takes options that only plugins of other contracts have', () => {
    expect(problemsOf({ contract: 'llm', config: ['voice:integer=3'] })).toBe('')
  })

  it.each(['', ' '])('refuses %j as the name for people', (displayName) => {
    expect(problemsOf({ displayName })).toMatch(/^--display-name: it is empty/)
  })

  it('leaves out the blanks around a line of text', () => {
    expect(checkGiven({ author: ' A B ', description: ' ' })).toEqual({ author: 'A B', description: '' })
  })

  it.each<Given>([
    { contract: 'tts' },
    { engine: 'http' },
    { language: 'javascript' },
    { config: ['x:string'] },
  ])('refuses for a copy of an example what the example has: %j', (given) => {
    expect(problemsOf({ from: 'tts_tone', ...given })).toMatch(/^--\w+: tts_tone has one already/)
    expect(openQuestions({ name: 'x', from: 'tts_tone' }, true)).toEqual([])
  })

  it('names all problems at once', () => {
    const message = problemsOf({ name: 'CON', contract: 'ttss', author: 'a\nb' })
    expect(message.split('\n').map((line) => line.split(':')[0])).toEqual(['name', '--contract', '--author'])
  })

  it('knows short names of languages', () => {
    expect(checkGiven({ language: 'js' })).toEqual({ language: 'javascript' })
  })
})

describe('the table', () => {
  it('leaves open what nobody gave: with defaults taken, only what has none', () => {
    const keys = (yes: boolean) => openQuestions({ author: 'A' }, yes).map(({ key }) => key)
    expect(keys(true)).toEqual(['name', 'contract'])
    expect(keys(false)).toEqual(
      questions.flatMap(({ key, prompt }) => (key === 'author' || prompt === undefined ? [] : [key])),
    )
  })

  it.each<Given>([
    { contract: 'tts' },
    { contract: 'stt', language: 'javascript', git: true, install: true },
    { contract: 'llm', displayName: '-x', description: '--help', author: 'Tom & "J" \\x' },
    { contract: 'custom', config: ['a:string=x y', 'b:integer=-3', 'c:string='], packageManager: 'pnpm' },
    { contract: 'tts', author: '', description: '' },
    { contract: 'llm', engine: 'http', config: ['tries:integer=3'] },
    { from: 'tts_tone', displayName: 'Mine' },
  ])('gives flags that give the answers %j again', async (given) => {
    const { parseArguments } = await import('../src/arguments.js')
    const answers = withDefaults({ name: 'x', ...given }, surroundings)
    const parsed = await parseArguments(flagsOf(answers))
    expect(parsed?.yes).toBe(true)
    const { packageManager } = answers
    expect(withDefaults(checkGiven(parsed?.given ?? {}), { packageManager })).toEqual(answers)
  })
})

describe('text for a target', () => {
  it.each([
    ['plain', "'plain'"],
    ["it's", '"it\'s"'],
    [`"both" it's`, `'"both" it\\'s'`],
    ['back\\slash', "'back\\\\slash'"],
    ['{{x}} $y `z`', "'{{x}} $y `z`'"],
  ])('writes %j as source', (text, source) => {
    expect(sourceString(text)).toBe(source)
    expect(new Function(`return ${source}`)()).toBe(text)
  })

  it.each([
    ['# [x](y)', '\\# \\[x\\](y)'],
    ['- item', '\\- item'],
    ['1. one', '1\\. one'],
    ['<script>', '\\<script\\>'],
    ['a-b + c.', 'a-b + c.'],
  ])('writes %j as Markdown', (text, markdown) => {
    expect(markdownText(text)).toBe(markdown)
  })

  it.each([
    ['retries:integer=3', 'retries: z.int().default(3),'],
    ['api_key:string', 'api_key: z.string().optional(),'],
    ["say:string=it's", 'say: z.string().default("it\'s"),'],
    ['on:boolean=false', 'on: z.boolean().default(false),'],
    ['ratio:number=0.5', 'ratio: z.number().default(0.5),'],
    ['big:number=1e21', 'big: z.number().default(1e21),'],
    ['empty:string=', "empty: z.string().default(''),"],
  ])('writes the config option %s as Zod', (text, source) => {
    const { option } = configOption(text)
    expect(option && zodSource(option)).toBe(source)
  })

  it('quotes for a shell', () => {
    expect(quote("it's", 'linux')).toBe("'it'\\''s'")
    expect(quote('my_plugin', 'linux')).toBe('my_plugin')
    expect(quote('', 'linux')).toBe("''")
    expect(quote('a "b" $c', 'win32')).toBe('"a `"b`" `$c"')
  })
})
