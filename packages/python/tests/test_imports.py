"""Where a plugin's imports come from, which class is the plugin, and what is said where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LIFE, Maker

from appfactory.errors import PluginError

SPEAKER = f"""
from contracts.tts_contract import TTSContract

class Speaker(TTSContract):
{LIFE}
    def synthesize(self, text):
        return text.encode()

    def get_voices(self):
        return [__name__]
"""


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("__init__.py", "plugins.mine"),
        ("main.py", "plugins.mine.main"),
        ("src/main.py", "plugins.mine.src.main"),
        ("pkg/__init__.py", "plugins.mine.pkg"),
        ("my.speaker.py", "plugins.mine.my_speaker"),
    ],
)
def test_the_entry_is_a_module_of_the_plugins_package(plugins: Maker, entry: str, name: str) -> None:
    assert plugins.run({entry: SPEAKER}).call("get_voices")[0]["id"] == name


def test_a_folder_shadows_nothing_whatever_its_name(plugins: Maker) -> None:
    code = f"import json, wave, types, fileinput\nfrom . import helper\nimport late_helper\n{SPEAKER}"
    files = {
        "main.py": code,
        "helper.py": "import json\nassert json.dumps({}) == '{}'\n",
        "late_helper.py": "",
        "fileinput.py": "raise RuntimeError('not this one')",
        "types.py": "raise RuntimeError('not this one')",
        "logging.py": "raise RuntimeError('not this one')",
        "contracts/__init__.py": "raise RuntimeError('not this one')",
        "plugins/__init__.py": "raise RuntimeError('not this one')",
    }
    for folder in ("wave", "json", "my-speaker"):
        assert plugins.run(files, folder=folder).call("get_voices")[0]["id"] == f"plugins.{folder}.main"


def test_no_module_of_a_plugin_runs_twice(plugins: Maker) -> None:
    files = {
        "main.py": f"from . import helper\nimport mine\nimport mine.helper\n{SPEAKER}\nhelper.check()",
        "__init__.py": "",
        "helper.py": "import sys\ndef check():\n    import main, mine.main\n"
        "    assert main is mine.main is sys.modules['plugins.mine.main']\n"
        "    assert main.__spec__.name == 'plugins.mine.main'\n"
        "    assert sys.modules['mine.helper'] is sys.modules[__name__]\n",
    }
    plugins.load(files)


def test_an_author_may_replace_the_functions_of_json(plugins: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("load", "loads", "dump", "dumps"):
        monkeypatch.setattr(json, name, None)
    running = plugins.run(SPEAKER)
    with pytest.raises(PluginError, match="text: must be a string, not 7"):
        running.call("synthesize", text=7)
    monkeypatch.undo()


def test_other_plugins_can_be_imported(plugins: Maker) -> None:
    plugins.load(SPEAKER, folder="other")
    loaded = plugins.load("from plugins.other.main import Speaker\n", folder="mine")
    assert loaded.plugin_class.__module__ == "plugins.other.main"


def test_functions_of_the_plugin_unpickle_in_another_process(plugins: Maker, tmp_path: Path) -> None:
    plugins.load(SPEAKER)
    entry = tmp_path / "mine" / "main.py"
    code = (
        "from appfactory.plugin.imports import install_finders\nimport pickle, sys\n"
        "install_finders(*sys.argv[1:])\n"
        "print(pickle.loads(b'cplugins.mine.main\\nSpeaker\\n.').__module__)\n"
    )
    args = [sys.executable, "-c", code, str(entry), str(entry.parent), str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(args, capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == "plugins.mine.main"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (f"{SPEAKER}\nclass Other(Speaker): pass\nPlugin = Speaker", "Speaker"),
        (f"{SPEAKER}\nclass Other(Speaker): pass", "Other"),
        (f"{SPEAKER}\nclass SomePlugin(TTSContract):\n    initialize = Speaker.initialize\n", "Speaker"),
        (
            f"{SPEAKER}\nimport types\nclass SomePlugin(TTSContract): pass\n"
            "for name in ('initialize', 'shutdown', 'health_check', 'synthesize', 'get_voices'):\n"
            "    setattr(SomePlugin, name, getattr(Speaker, name))\n"
            "SomePlugin.__abstractmethods__ = frozenset()",
            "SomePlugin",
        ),
        (f"{SPEAKER}\nPlugin = Speaker()", "Speaker"),
        (f"{SPEAKER}\nplugin = Speaker()", "Speaker"),
    ],
)
def test_which_class_is_the_plugin(plugins: Maker, code: str, name: str) -> None:
    loaded = plugins.load(code)
    assert loaded.plugin_class.__name__ == name
    assert loaded.construct().name == "mine"


def code_of(plugins: Maker, files: object, **manifest: object) -> PluginError:
    with pytest.raises(PluginError) as caught:
        plugins.run(files, **manifest)  # type: ignore[arg-type]
    return caught.value


def test_a_class_that_lacks_methods_is_named_with_them(plugins: Maker) -> None:
    error = code_of(plugins, f"from contracts import *\nclass Half(TTSContract):\n{LIFE}")
    assert (error.code, error.data) == (-32010, {"missing": ["get_voices", "synthesize"]})


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("x = 1", "has no class that extends a contract; write one that extends TTSContract"),
        (
            f"{SPEAKER}\nclass Two(TTSContract):\n    initialize = shutdown = health_check = print\n"
            "    synthesize = get_voices = print",
            r"several plugin classes \(Speaker, Two\)",
        ),
        (
            f"{SPEAKER.replace('TTS', 'STT').replace('tts_', 'stt_')}\n    def transcribe(self): pass",
            'extends the contract "stt"',
        ),
        (f"from contracts import PluginBase\nclass Other(PluginBase):\n{LIFE}", "extends none"),
    ],
)
def test_a_module_without_the_class_is_a_mismatch(plugins: Maker, code: str, words: str) -> None:
    error = code_of(plugins, code)
    assert error.code == -32010
    with pytest.raises(PluginError, match=words):
        raise error


def test_entry_point_may_name_the_class(plugins: Maker) -> None:
    code = f"{SPEAKER}\nclass Other(Speaker): pass\nPlugin = Other"
    assert plugins.load(code, entry_point="main:Speaker").plugin_class.__name__ == "Speaker"
    error = code_of(plugins, SPEAKER, folder="b", entry_point="main:Talker")
    assert error.code == -32010
    assert "no plugin class Talker" in error.message


def test_a_missing_package_is_named_with_the_command(plugins: Maker) -> None:
    error = code_of(plugins, "import no_such_package.inner", dependencies=["no-such_Package[extra]>=2"])
    assert (error.code, error.data) == (-32051, {"missing": ["no-such_Package[extra]>=2"]})
    assert 'pip install "no-such_Package[extra]>=2"' in error.message
    assert code_of(plugins, "import yaml_of_no_one", folder="b").data == {"missing": ["yaml_of_no_one"]}


@pytest.mark.parametrize(
    ("files", "line", "words"),
    [
        ({"main.py": "import os\ndef broken(:\n"}, 2, "SyntaxError"),
        ({"main.py": "\nraise SystemExit(3)"}, 2, "SystemExit: 3"),
        ({"main.py": "\n\n1 / 0"}, 3, "division by zero"),
        ({"main.py": "from . import helper", "helper.py": "import mine.nothing"}, 1, "mine.nothing"),
        ({"main.py": "from .nothing import x"}, 1, "plugins.mine.nothing"),
        ({"main.py": "import pytest.nothing"}, 1, "pytest.nothing"),
        ({"main.py": "import os.nothing"}, 1, "os.nothing"),
        ({"main.py": "raise KeyboardInterrupt"}, 1, "KeyboardInterrupt"),
        (
            {"main.py": "class E(Exception):\n  def __str__(self): raise E\nraise E"},
            3,
            "E, whose text can't be read",
        ),
        ({"main.py": "import json\njson.loads('{')"}, 2, "JSONDecodeError"),
        ({"main.py": "x = 'ÿ'", "__init__.py": "import main.sub"}, 1, "main.sub"),
    ],
)
def test_what_fails_at_import_is_told_with_its_line(
    plugins: Maker, files: dict, line: int, words: str
) -> None:
    error = code_of(plugins, files)
    assert error.code == -32002
    assert words in error.message
    assert str(error.data["place"]).endswith(f".py:{line}")


@pytest.mark.parametrize("broken", ["1 / 0", "def broken(:"])
def test_the_log_has_the_authors_stack_and_none_of_the_import(
    plugins: Maker, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    code_of(plugins, {"main.py": f"\n{broken}"})
    assert 'main.py", line 2' in caplog.text
    assert "importlib" not in caplog.text
    assert f"appfactory{os.sep}" not in caplog.text


def test_bytes_that_are_no_text_are_told(plugins: Maker, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "helper.py").write_bytes(b"x = '\xff'\n")
    assert code_of(plugins, "from . import helper").code == -32002
    (tmp_path / "mine" / "helper.py").write_bytes(b"x = '\0'\n")
    assert code_of(plugins, "from . import helper").code == -32002


def test_a_constructor_that_fails_is_told_with_its_line(plugins: Maker) -> None:
    error = code_of(plugins, f"{SPEAKER}\n    def __init__(self):\n        raise OSError('no disk')")
    assert (error.code, error.message) == (-32002, "The constructor of Speaker failed: no disk")
    assert error.data["place"].endswith("main.py:22")


def test_a_constructor_need_not_call_the_contracts(plugins: Maker) -> None:
    running = plugins.run(f"{SPEAKER}\n    def __init__(self):\n        self.mine = 1")
    assert running.run("health")["status"] == "UNLOADED"
    assert running.instance._voices == []
    running.run("initialize", {})
    assert running.run("health")["status"] == "READY"


@pytest.mark.skipif(os.name == "nt", reason="the command is a script of a shell here")
def test_the_host_runs_as_a_module(tmp_path: Path) -> None:
    args = [sys.executable, "-m", "plugins._host", "--version", "a b"]
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": str(tmp_path)}
    done = subprocess.run(args, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 1
    assert "npm install -g @appfactory/host" in done.stderr
    command = tmp_path / "node_modules" / ".bin" / "appfactory-host"
    command.parent.mkdir(parents=True)
    command.write_text('#!/bin/sh\nfor each in "$@"; do echo "$each"; done\nexit 3\n')
    command.chmod(0o755)
    inner = tmp_path / "inner"
    inner.mkdir()
    done = subprocess.run(args, capture_output=True, text=True, env=environment, cwd=inner)
    assert (done.returncode, done.stdout) == (3, "--version\na b\n")
