import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runCommand } from '../fixtures/command.js'
import { temporaryFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'

const only = ['--only', 'tts.get_voices.*', '--only', 'state.*']

function folder(members = ''): string {
  const root = temporaryFolder()
  writePlugin(root, 'speaker', ttsPlugin(members))
  return root
}

test('test tells of each check, of each skip why, and its exit status tells', async () => {
  const root = folder()
  const good = await runCommand(root, 'test', 'speaker', ...only)
  expect(good).toMatchObject({ status: 0, stderr: '' })
  expect(good.stdout).toMatch(
    /^speaker\n {2}passed {3}tts\.get_voices\.result\n[\s\S]* {2}skipped {2}state\.round_trip: state is not among .*\ntts: 3 passed, 0 failed, 1 skipped in /,
  )
  const bad = await runCommand(folder('getVoices() { throw new Error("lost") }'), 'test', 'speaker', ...only)
  expect(bad).toMatchObject({ status: 1, stderr: '' })
  expect(bad.stdout).toMatch(/failed {3}tts\.get_voices\.result: get_voices answers/)
  expect(bad.stdout).toMatch(/Error: lost\n\s+at /)
  expect(bad.stdout).toMatch(/blocked {2}tts\.get_voices\.unique: tts\.get_voices\.result has not passed/)
  expect(bad.stdout).toMatch(/1 failed, 1 skipped, 1 blocked/)
})

test('test runs all checks where nobody says otherwise', async () => {
  const { status, stdout } = await runCommand(folder(), 'test', 'speaker', '--json')
  expect(status).toBe(0)
  const report = JSON.parse(stdout) as { results: { id: string; duration_ms: number }[] }
  expect(report).toMatchObject({ plugin: 'speaker', contract: 'tts', failed: 0, blocked: 0 })
  expect(report.results.length).toBeGreaterThan(30)
  expect(report.results[0]).toEqual({
    id: 'lifecycle.load',
    title: expect.any(String),
    status: 'passed',
    duration_ms: expect.any(Number),
  })
})

test('test takes a configuration and samples', async () => {
  const root = folder(`
    async initialize({ word }) { this.word = word }
    async synthesize(text) { if (text !== this.word) throw new Error(text); return super.synthesize(text) }`)
  writeFileSync(join(root, 'samples.json'), '{"synthesize": {"text": "please"}}')
  const args = ['test', 'speaker', '--only', 'tts.synthesize.result', '--config', '{"word":"please"}']
  expect(await runCommand(root, ...args)).toMatchObject({ status: 1 })
  expect(await runCommand(root, ...args, '--samples', 'samples.json')).toMatchObject({ status: 0 })
})

test('test writes what CI systems read, whatever the plugin says', async () => {
  const root = folder('getVoices() { throw new Error("<&\\"\\u0001 lost") }')
  const { status } = await runCommand(root, 'test', 'speaker', ...only, '--junit', 'report.xml')
  expect(status).toBe(1)
  const xml = readFileSync(join(root, 'report.xml'), 'utf8')
  expect(xml).toMatch(/<testsuite name="speaker \(tts\)" tests="4" failures="1" errors="0" skipped="2"/)
  expect(xml).toMatch(
    /<testcase classname="tts\.get_voices\.result"[^>]*>\s*<failure message="[^"]*&lt;&amp;&quot;\ufffd lost/,
  )
  expect(xml).toMatch(/<testcase classname="state\.round_trip"[^>]*>\s*<skipped message="[^"]+"/)
  expect(xml.match(/<testcase /g)).toHaveLength(4)
})

test('test tells what a check that has passed could not compare', async () => {
  const root = folder()
  const args = ['test', 'speaker', '--only', 'tts.synthesize.voice', '--junit', 'report.xml']
  const told = await runCommand(root, ...args)
  expect(told.stdout).toMatch(/passed {3}tts\.synthesize\.voice: not refused: .*"no-such-voice"/)
  expect(readFileSync(join(root, 'report.xml'), 'utf8')).toMatch(
    /<testcase classname="tts\.synthesize\.voice"[^>]*>\s*<system-out>not refused: .*&quot;no-such-voice&quot;<\/system-out>/,
  )
  const { stdout } = await runCommand(root, ...args, '--json')
  const report = JSON.parse(stdout) as { results: object[] }
  expect(report.results).toMatchObject([{ status: 'passed', note: expect.stringMatching(/^not refused: /) }])
})

test('test refuses what it does not understand', async () => {
  const root = folder()
  writeFileSync(join(root, 'wrong.json'), '{"synthesize": "Hello"}')
  const cases: [string[], RegExp][] = [
    [['test', 'nowhere'], /not a folder/],
    [['test', 'speaker', '--only', 'tts.synthesise.result'], /did you mean tts\.synthesize\.result/],
    [['test', 'speaker', '--config', '[]'], /JSON object/],
    [['test', 'speaker', '--timeout', '0'], /above 0/],
    [['test', 'speaker', '--samples', 'none.json'], /none\.json/],
    [['test', 'speaker', '--samples', 'wrong.json'], /synthesize takes an object/],
    [['test', 'speaker', '--junitt', 'x'], /Did you mean --junit/],
  ]
  for (const [args, says] of cases) {
    const outcome = await runCommand(root, ...args)
    expect([args, outcome.status]).toEqual([args, 2])
    expect(outcome.stderr).toMatch(says)
  }
})
