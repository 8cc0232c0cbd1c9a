import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { command, filesIn, temporaryFolder } from './command.js'

const enter = '\r'
const down = '\u001b[B'
const ctrlC = '\u0003'

/** Runs the command on a terminal, answering each question when it is there. */
async function atTerminal(
  cwd: string,
  args: string[],
  dialogue: readonly [question: string, keys: string][],
  env: Record<string, string> = {},
) {
  // A terminal that nobody looks at is no column wide.
  const words = [process.execPath, command, ...args].map((word) => `'${word}'`)
  const line = `stty cols 150 rows 50; exec ${words.join(' ')}`
  const child = spawn('script', ['--quiet', '--return', '--flush', '--command', line, '/dev/null'], {
    cwd,
    env: { ...process.env, npm_lifecycle_event: '', TERM: 'xterm', COLUMNS: '200', CI: '', ...env },
  })
  const open = [...dialogue]
  let [screen, unread] = ['', '']
  child.stdout.on('data', (data: Buffer) => {
    screen += data.toString()
    unread += data.toString()
    const [next] = open
    if (!next || !unread.includes(next[0])) return
    open.shift()
    unread = ''
    child.stdin.write(next[1])
  })
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { status, screen, open }
}

function hasScript(): boolean {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux')
  } catch {
    return false
  }
}

describe.skipIf(!hasScript())('at a terminal', () => {
  it('asks for what is missing, one after the other, and offers the defaults', async () => {
    const cwd = temporaryFolder()
    const { status, screen, open } = await atTerminal(
      cwd,
      ['--language', 'js'],
      [
        ['called?', `talk${enter}`],
        ['What does it do?', `${down}${down}${enter}`],
        ['Over which engine?', `${down}${enter}`],
        ['display name?', enter],
        ['in one line', `Talks "well"${enter}`],
        ['Who is the author?', enter],
        ['config options', `tries:integer=3 key:string${enter}`],
        ['git repository?', enter],
        ['packages now?', enter],
      ],
    )
    expect({ status, open }, screen).toEqual({ status: 0, open: [] })
    const manifest: unknown = JSON.parse(filesIn(join(cwd, 'talk'))['manifest.json'] ?? '')
    expect(manifest).toMatchObject({
      contract: 'llm',
      display_name: 'Talk',
      description: 'Talks "well"',
      config_schema: {
        properties: { tries: { default: 3 }, key: { type: 'string' }, base_url: { type: 'string' } },
      },
    })
    expect(screen).toContain('--contract llm --engine http --language javascript')
  })

  it('says at once what is wrong with an answer, and asks again', async () => {
    const cwd = temporaryFolder()
    const { status, screen } = await atTerminal(
      cwd,
      ['--yes', '--contract', 'tts'],
      [
        ['called?', `My Plugin${enter}`],
        ['for example my_plugin', `${'\u007f'.repeat(9)}mine${enter}`],
      ],
    )
    expect(status, screen).toBe(0)
    expect(readdirSync(cwd)).toEqual(['mine'])
  })

  it('says at the first question that the folder has something in it, and takes another name', async () => {
    const cwd = temporaryFolder()
    mkdirSync(join(cwd, 'talk'))
    writeFileSync(join(cwd, 'talk/NOTES.md'), 'mine')
    const { status, screen } = await atTerminal(
      cwd,
      ['--yes', '--contract', 'tts'],
      [
        ['called?', `talk${enter}`],
        ['NOTES.md', `er${enter}`],
      ],
    )
    expect(status, screen).toBe(0)
    expect(readdirSync(cwd)).toEqual(['talk', 'talker'])
  })

  it('asks nothing where the folder that was named has something in it', async () => {
    const cwd = temporaryFolder()
    mkdirSync(join(cwd, 'talk'))
    writeFileSync(join(cwd, 'talk/NOTES.md'), 'mine')
    const { status, screen } = await atTerminal(cwd, ['talk'], [['What does it do?', ctrlC]])
    expect(status, screen).toBe(1)
  })

  it('does not begin with --json', async () => {
    const { status, screen } = await atTerminal(
      temporaryFolder(),
      ['talk', '--json'],
      [['What does it do?', ctrlC]],
    )
    expect(status, screen).toBe(2)
    expect(screen).not.toMatch(/terminal/)
  })

  it('says that npm consumed --yes, and asks', async () => {
    const { status, screen } = await atTerminal(temporaryFolder(), ['talk'], [['What does it do?', ctrlC]], {
      npm_lifecycle_event: 'npx',
      npm_config_yes: 'true',
    })
    expect(status, screen).toBe(130)
    expect(screen).toMatch(/npm consumed --yes/)
  })

  it('Ctrl-C at a question writes nothing and has status 130', async () => {
    const cwd = temporaryFolder()
    const { status, screen } = await atTerminal(
      cwd,
      [],
      [
        ['called?', `talk${enter}`],
        ['What does it do?', ctrlC],
      ],
    )
    expect(screen).toContain('Nothing was written')
    expect({ status, left: readdirSync(cwd) }).toEqual({ status: 130, left: [] })
  })
})
