import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tempDir } from '../temp-dir.js'
import { pythonWith, wheel } from './environment.js'

const python = pythonWith('pytest')
const host = fileURLToPath(new URL('../../../host/bin/appfactory-host.js', import.meta.url))
const tone = fileURLToPath(new URL('../../../../examples/plugins/tts_tone', import.meta.url))
const installed = mkdtempSync(join(tmpdir(), 'appfactory-pytest-'))

afterAll(() => rmSync(installed, { recursive: true, force: true }))

/** Runs pytest in a folder, as authors do; resolves to the outcome of each test by its name, and all that was printed. */
function pytest(folder: string, env: Record<string, string> = {}, ...more: string[]) {
  const args = ['-m', 'pytest', '-rA', '-p', 'no:cacheprovider', ...more]
  const { stdout, stderr } = spawnSync(python ?? '', args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, PYTHONPATH: installed, APPFACTORY_HOST: host, PYTEST_ADDOPTS: '', ...env },
  })
  const lines = stdout.matchAll(/^(PASSED|FAILED|ERROR) \S+?::([\w:.[\]-]+)/gm)
  return {
    outcomes: Object.fromEntries([...lines].map(([, outcome, name]) => [name ?? '', outcome])),
    said: stdout + stderr,
  }
}

const manifest = JSON.stringify({
  name: 'my_plugin',
  version: '1.0.0',
  contract: 'tts',
  entry_point: '__init__',
})

/** As the guide's Quick Start, but that it makes a sound, and leaves the import of PluginStatus to the host. */
const plugin = `
from contracts.tts_contract import TTSContract
import helper

class MyTTSPlugin(TTSContract):
    async def initialize(self, config: dict) -> bool:
        self._status = PluginStatus.READY
        return True
    async def shutdown(self) -> bool:
        self._status = PluginStatus.STOPPED
        return True
    def health_check(self) -> HealthStatus:
        return HealthStatus(status=self._status)
    async def synthesize(self, text: str, voice_id: str = None) -> bytes:
        return helper.sound
    async def get_voices(self) -> list:
        return []
`

/** The guide's unit test, as it stands there. */
const guideTest = `import pytest
from my_plugin import MyTTSPlugin

@pytest.fixture
async def plugin():
    p = MyTTSPlugin()
    await p.initialize({"voice": "default"})
    yield p
    await p.shutdown()

@pytest.mark.asyncio
async def test_synthesize(plugin):
    audio = await plugin.synthesize("Hello world")
    assert isinstance(audio, bytes)
    assert len(audio) > 0

def test_health_check(plugin):
    health = plugin.health_check()
    assert health.status == PluginStatus.READY
`

const pluginFiles = {
  'my_plugin/manifest.json': manifest,
  'my_plugin/__init__.py': plugin,
  'my_plugin/helper.py': 'sound = b"RIFF"',
}

describe.skipIf(python === undefined)('the pytest plugin (skipped without Python 3.9 or newer)', () => {
  beforeAll(() => {
    const args = ['-m', 'pip', 'install', '--quiet', '--no-index', '--disable-pip-version-check']
    execFileSync(python ?? '', [...args, '--target', installed, wheel])
  })

  it('runs the guide’s unit test as it stands, wherever it is', () => {
    const folder = tempDir({
      ...pluginFiles,
      'my_plugin/test_in_it.py': guideTest,
      'my_plugin/tests/test_below.py': guideTest,
      'test_beside.py': guideTest,
      // Neither hides what the plugin imports.
      'contracts/readme.txt': '',
      'plugins/readme.txt': '',
    })
    const { said } = pytest(folder)
    expect(said).toMatch(/ 6 passed in/)
    expect(said).not.toMatch(/warning/i)
    expect(pytest(join(folder, 'my_plugin/tests')).said).toMatch(/ 2 passed in/)
  })

  it('runs async tests and fixtures in one loop, and fails those that fail', () => {
    const { outcomes } = pytest(
      tempDir({
        'test_async.py': `
import asyncio, pytest

@pytest.fixture(scope="session")
async def server():
    task = asyncio.ensure_future(asyncio.sleep(3600))
    yield task
    assert not task.cancelled()
    task.cancel()

async def test_is_not_done(server):
    await asyncio.sleep(0)
    assert not server.done()

class TestMethods:
    @pytest.fixture
    async def own(self):
        self.mark = 7
        return self

    async def test_same_instance(self, own):
        assert own is self and self.mark == 7

async def test_fails():
    await asyncio.sleep(0)
    assert False

@pytest.fixture
async def broken():
    yield 1
    raise RuntimeError("at the end")

def test_broken_fixture(broken):
    assert broken == 1

@pytest.fixture
async def twice():
    yield 1
    yield 2

def test_twice(twice):
    pass
`,
      }),
    )
    expect(outcomes).toEqual({
      test_is_not_done: 'PASSED',
      'TestMethods::test_same_instance': 'PASSED',
      test_fails: 'FAILED',
      test_broken_fixture: 'ERROR',
      test_twice: 'ERROR',
    })
  })

  it('leaves async tests to pytest-asyncio where that is there', () => {
    const { said } = pytest(
      tempDir({
        'conftest.py': `
import pytest
class Asyncio:
    @pytest.hookimpl
    def pytest_pyfunc_call(self, pyfuncitem):
        print("theirs")
        return True
def pytest_configure(config):
    config.pluginmanager.register(Asyncio(), "asyncio")
`,
        'test_async.py': 'async def test_is_theirs():\n    assert False\n',
      }),
    )
    expect(said).toMatch(/theirs/)
    expect(said).toMatch(/ 1 passed/)
  })

  it('gives tests an object of the plugin’s class, configured by the manifest', () => {
    const config_schema = {
      type: 'object',
      properties: {
        voice: { type: 'string', default: 'low' },
        device: { type: ['string', 'null'], default: null },
        limits: { type: 'object', properties: { words: { type: 'integer', default: 7 } } },
      },
    }
    const speaker = `
from contracts.tts_contract import TTSContract
class Speaker(TTSContract):
    async def initialize(self, config):
        self.config = config
        return config.get("voice") != "none"
    async def shutdown(self):
        ended.append(self)
        return True
    def health_check(self):
        return HealthStatus(status=self._status)
    async def synthesize(self, text, voice_id=None):
        return b"RIFF"
    async def get_voices(self):
        return []
ended = []
`
    const files = (entry_point: string, file: string) => ({
      'manifest.json': JSON.stringify({
        ...JSON.parse(manifest),
        entry_point,
        config_schema,
        default_config: { device: null, speed: 2 },
      }),
      [file]: speaker,
    })
    const folder = tempDir({
      ...Object.fromEntries(
        Object.entries(files('src.main:Speaker', 'src/main.py')).map(([name, text]) => [
          `dotted/${name}`,
          text,
        ]),
      ),
      'dotted/test_dotted.py': 'def test_dotted(plugin):\n    assert type(plugin).__name__ == "Speaker"\n',
      ...Object.fromEntries(
        Object.entries(files('main', 'main.py')).map(([name, text]) => [`flat/${name}`, text]),
      ),
      'flat/tests/test_it.py': `
import pytest
import main

async def test_config(plugin):
    assert type(plugin) is main.Speaker
    assert plugin.config == {"voice": "low", "limits": {"words": 7}, "speed": 2}
    assert plugin.status == PluginStatus.READY and plugin.name == "my_plugin"
    assert await plugin.synthesize("Hello") == b"RIFF"
    assert main.ended == []

def test_is_shut_down_and_new(plugin):
    assert len(main.ended) == 1 and plugin is not main.ended[0]

class TestOwn:
    @pytest.fixture
    def plugin_config(self):
        return {"voice": "high"}

    def test_own_config(self, plugin):
        assert plugin.config["voice"] == "high" and plugin.config["speed"] == 2

class TestRefused:
    @pytest.fixture
    def plugin_config(self):
        return {"voice": "none"}

    def test_refused(self, plugin):
        pass
`,
    })
    const { outcomes, said } = pytest(folder)
    expect(outcomes, said).toEqual({
      test_dotted: 'PASSED',
      test_config: 'PASSED',
      test_is_shut_down_and_new: 'PASSED',
      'TestOwn::test_own_config': 'PASSED',
      'TestRefused::test_refused': 'ERROR',
    })
    expect(said).toMatch(/could not be initialized: initialize\(\) returned False/)
  })

  it('loads plugins into a real host, and calls them by their names on the wire', () => {
    const { outcomes, said } = pytest(
      tempDir({
        'test_host.py': `
import pytest
from appfactory import PluginError
folder = ${JSON.stringify(tone)}

def test_call(load_plugin):
    tone = load_plugin(folder, {"sample_rate": 8000})
    spoken = tone.synthesize(text="Hi")
    assert spoken["audio"][:4] == b"RIFF" and spoken["sample_rate"] == 8000
    assert tone.health()["status"] == "READY"
    assert tone.state == "READY"
    tone.unload()
    assert tone.state == "UNLOADED"

def test_stream(load_plugin):
    tone = load_plugin(folder)
    texts = [piece["text"] for piece in tone.stream("synthesize_stream", text="One. Two. Three.")]
    assert texts == ["One.", "Two.", "Three."]
    for piece in tone.stream("synthesize_stream", text="One. Two. " * 100):
        break
    assert tone.synthesize(text="Hi")["audio"]
    assert tone.swap()["success"] is True

def test_errors(load_plugin):
    with pytest.raises(PluginError) as caught:
        load_plugin(folder).synthesize(text=7)
    assert caught.value.code == -32602
    with pytest.raises(PluginError):
        load_plugin(folder).no_such_method()

def test_no_plugin(plugin_host):
    pass
`,
      }),
    )
    expect(outcomes, said).toEqual({
      test_call: 'PASSED',
      test_stream: 'PASSED',
      test_errors: 'PASSED',
      test_no_plugin: 'ERROR',
    })
    expect(said).toMatch(/which plugin is it about\?/)
  })

  it('makes a test of each check of the contract, and fails those that fail', () => {
    const folder = tempDir({
      'mute/manifest.json': JSON.stringify({
        name: 'mute',
        version: '1.0.0',
        contract: 'tts',
        entry_point: 'index.cjs',
      }),
      'mute/index.cjs': 'throw new Error("no voice")',
      'mute/test_contract.py': 'def test_contract(contract_check):\n    contract_check()\n',
    })
    const { outcomes, said } = pytest(folder)
    expect(outcomes).toMatchObject({ 'test_contract[lifecycle.load]': 'FAILED' })
    expect(said).toMatch(/no voice/)
    expect(said).toMatch(/SKIPPED .*blocked: /)
    expect(pytest(folder, {}, '--no-contract-checks').said).toMatch(
      /SKIPPED .*--no-contract-checks[\s\S]* 1 skipped/,
    )
  })

  it('skips what needs a host where there is none, and says how to get one', () => {
    const { said } = pytest(
      tempDir({
        ...pluginFiles,
        'my_plugin/test_host.py': 'def test_host(load_plugin, contract_check): load_plugin()',
      }),
      { APPFACTORY_HOST: '', PATH: installed },
    )
    expect(said).toMatch(/SKIPPED .*npm install --save-dev @appfactory\/host/)
  })
})
