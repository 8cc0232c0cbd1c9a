import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { decodeWav, sniffAudio } from '@appfactory/sdk'
import { expect, onTestFinished, test } from 'vitest'
import { drawTurn } from '../src/picture.js'
import { summarise, wordErrors } from '../src/report.js'

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'assistant-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function converse(
  words: readonly string[] = [],
  cwd: string = newFolder(),
): Promise<{ said: string; recordings: Record<string, Uint8Array> }> {
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...words], { cwd })
  const files = readdirSync(join(cwd, 'out')).filter((file) => file.endsWith('.wav'))
  return {
    said: stdout,
    recordings: Object.fromEntries(files.map((file) => [file, readFileSync(join(cwd, 'out', file))])),
  }
}

test('the built-in turns are heard without a word error and answered aloud', async () => {
  const { said, recordings } = await converse()
  expect(said).toContain('6 turns: 0 word errors in 47 words')
  expect(said).toContain("reply audio began before the reply's text was complete in 3 of 3 replies")
  expect(said).toMatch(
    /story about a rabbit[\s\S]*first sound \d+ ms, while the text was still being written/,
  )
  expect(Object.keys(recordings)).toHaveLength(12)
  expect(Object.keys(recordings)).toEqual(expect.arrayContaining(['1-question.wav', '6-answer.wav']))
  // The whole story, and not its first sentence.
  expect(sniffAudio(recordings['2-answer.wav'] ?? new Uint8Array())?.durationMs).toBeGreaterThan(8000)
  for (const file of Object.values(recordings)) {
    expect(sniffAudio(file)?.durationMs).toBeGreaterThan(200)
    // Silence would be of the right length too.
    expect(decodeWav(file)?.data.some((byte) => byte !== 0)).toBe(true)
  }
})

test('a question of one’s own is asked instead; only its recordings are left', async () => {
  const folder = newFolder()
  mkdirSync(join(folder, 'out'))
  for (const file of ['6-answer.wav', '2-answer-3.wav', '6-timing.svg', 'mine.wav', '1-of-mine.wav'])
    writeFileSync(join(folder, 'out', file), '')
  const { said, recordings } = await converse(['what', 'is the capital of japan'], folder)
  expect(said).toContain('heard  what is the capital of japan   [0 word errors')
  expect(said).toContain('Tokyo')
  expect(said).toContain('1 turn: 0 word errors in 6 words\n')
  expect(Object.keys(recordings)).toEqual(['1-answer.wav', '1-of-mine.wav', '1-question.wav', 'mine.wav'])
  expect(readdirSync(join(folder, 'out')).filter((file) => file.endsWith('.svg'))).toEqual(['1-timing.svg'])
})

test('a plugin that can not be had is refused with the names of those that can', async () => {
  const refused: [string[], string, string][] = [
    [['--voice', 'tts_nobody'], '--voice: ', '; --voice can be tts_flite, '],
    [['--ears', 'tts_tone'], '--ears: ', '; --ears can be stt_pocketsphinx'],
    [['--voice'], "'--voice <value>'", ''],
    [['--nose', 'x'], "'--nose'", ''],
  ]
  for (const [words, beginning, choice] of refused) {
    const failure: unknown = await converse(words).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(beginning) })
    expect(failure).toMatchObject({ stderr: expect.stringContaining(choice) })
    // A sentence for a person, and no stack.
    expect(failure).toMatchObject({ stderr: expect.not.stringContaining('    at ') })
  }
})

test('any voice and any ears may be chosen', async () => {
  const { said, recordings } = await converse(['--voice=tts_tone', 'what', '--ears', 'stt_pocketsphinx'])
  expect(said).toContain('said   what\n')
  expect(Object.keys(recordings)).toEqual(['1-answer.wav', '1-question.wav'])
})

test('word errors are counted as changes, additions and losses', () => {
  const cases: [string, string, number][] = [
    ['one two three', 'one two three', 0],
    ['One, two. Three!', 'one two three', 0],
    ['one two three', 'one too three', 1],
    ['one two three', 'one three', 1],
    ['one two three', 'one two or three', 1],
    ['one two three', '', 3],
    ['', 'one', 1],
  ]
  for (const [said, heard, errors] of cases)
    expect([said, heard, wordErrors(said, heard).errors]).toEqual([said, heard, errors])
})

test('the summary counts long replies whose sound came before the end of their text', () => {
  const turn = {
    said: 'a b',
    heard: 'a c',
    reply: '',
    question: new Uint8Array(),
    answer: [],
    heardMs: 1,
    firstTextMs: 1,
    textDoneMs: 9,
    audioMs: [5, 12, 15],
  }
  const [late, short] = [
    { ...turn, textDoneMs: 4 },
    { ...turn, audioMs: [12] },
  ]
  expect(summarise([turn, late, short])).toBe(
    "3 turns: 3 word errors in 6 words; reply audio began before the reply's text was complete in 1 of 2 replies of more than two sentences",
  )
  expect(summarise([short])).toBe('1 turn: 1 word errors in 2 words')
})

test('the picture of a turn shows a bar for what was heard, written and spoken', () => {
  const turn = {
    said: 'a & b',
    heard: 'a <b>',
    reply: 'One. Two.',
    question: new Uint8Array(),
    answer: [],
    heardMs: 200,
    firstTextMs: 5,
    textDoneMs: 80,
    audioMs: [40, 95],
  }
  const svg = drawTurn(turn)
  expect(svg.match(/<rect class="bar/g)).toHaveLength(4)
  expect(svg).toContain('a &lt;b&gt;')
  expect(svg).not.toContain('NaN')
})
