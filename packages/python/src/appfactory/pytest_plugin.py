"""The pytest plugin: imports, async tests and fixtures, plugins in a real host, checks of a contract."""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from appfactory.testing.event_loop import TestLoop, as_plain_fixture, is_async
from appfactory.testing.folders import (
    import_own_packages,
    make_importable,
    plugin_folder_above,
    plugin_folders_near,
)
from appfactory.testing.host_command import HostMissing, find_host
from appfactory.testing.preset_names import PresetNames

try:
    # In its strict mode, it sets up no other async fixtures.
    from pytest_asyncio import fixture as async_fixture
except ImportError:
    from pytest import fixture as async_fixture  # type: ignore[assignment, no-redef, unused-ignore]

folders_key = pytest.StashKey["PluginFolders"]()
loop_key = pytest.StashKey[TestLoop]()
checks_key = pytest.StashKey["dict[str, Any]"]()


class PluginFolders:
    """The plugins that are tested, and their tests."""

    def __init__(self) -> None:
        self._plugins: set[Path] = set()
        self._tests: set[Path] = set()

    def add(self, place: Path) -> None:
        """Makes the plugins near a file or folder importable."""
        plugins = plugin_folders_near(place)
        for plugin in plugins:
            if plugin not in self._plugins:
                self._plugins.add(plugin)
                make_importable(plugin)
        if plugins and place.is_file():
            self._tests.add(place)

    def holds(self, file: Path) -> bool:
        """Whether a module is one of a plugin or of its tests, and not of a package that it has installed."""
        if file in self._tests:
            return True
        plugin = next((each for each in self._plugins if each in file.parents), None)
        return plugin is not None and "site-packages" not in file.relative_to(plugin).parts


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option that leaves out what takes seconds."""
    what = "skip the tests that contract_check makes: even their names need a run of the plugin"
    parser.getgroup("appfactory").addoption("--no-contract-checks", action="store_true", help=what)


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before the first conftest.py, which may import the plugin."""
    prepare_imports(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Prepares the imports, the marks and the event loop."""
    prepare_imports(config)
    config.addinivalue_line(
        "markers", "contract_checks(config, samples, only): how the fixture contract_check runs the checks"
    )
    config.stash[loop_key] = TestLoop()
    config.stash[checks_key] = {}
    if not has_asyncio_plugin(config):
        config.addinivalue_line("markers", "asyncio: an async test. appfactory runs each `async def` test")


def prepare_imports(config: pytest.Config) -> None:
    """Makes what the command line names importable."""
    if folders_key in config.stash:
        return
    import_own_packages()
    folders = config.stash[folders_key] = PluginFolders()
    sys.meta_path.insert(0, PresetNames(folders.holds))
    for argument in [*config.known_args_namespace.file_or_dir, config.rootpath]:
        folders.add(Path(config.invocation_params.dir, str(argument).split("::")[0]).resolve())


@pytest.hookimpl(tryfirst=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> None:
    """Makes the plugin importable before its tests are imported."""
    if file_path.suffix == ".py":
        parent.config.stash[folders_key].add(file_path)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Ends the event loop."""
    if loop_key in config.stash:
        config.stash[loop_key].close()
    sys.meta_path[:] = [each for each in sys.meta_path if not isinstance(each, PresetNames)]


def has_asyncio_plugin(config: pytest.Config) -> bool:
    """Whether pytest-asyncio is there, which then runs async tests."""
    return config.pluginmanager.hasplugin("asyncio")


def is_ours(item: Any) -> bool:
    """Whether no other plugin runs the async functions of a test."""
    if has_asyncio_plugin(item.config):
        return False
    return item.get_closest_marker("anyio") is None and "anyio_backend" not in getattr(
        item, "fixturenames", ()
    )


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs an async test."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj) or not is_ours(pyfuncitem):
        return None
    # pytest keeps the names of a test's own arguments here alone.
    names = pyfuncitem._fixtureinfo.argnames
    values = {name: pyfuncitem.funcargs[name] for name in names}
    pyfuncitem.config.stash[loop_key].run(pyfuncitem.obj(**values))
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: Any) -> Iterator[None]:
    """Sets an async fixture up as the plain one that does the same."""
    function = fixturedef.func
    if not is_async(function) or not is_ours(request.node):
        yield
        return
    plain = as_plain_fixture(bound_to_test(function, request.instance), request.config.stash[loop_key])
    fixturedef.func = plain  # type: ignore[misc]
    try:
        yield
    finally:
        fixturedef.func = function  # type: ignore[misc]


def bound_to_test(function: Callable[..., Any], instance: object) -> Callable[..., Any]:
    """A fixture of a class, bound to the instance of the test that asks for it."""
    if inspect.ismethod(function) and isinstance(instance, type(function.__self__)):
        return function.__func__.__get__(instance)  # type: ignore[no-any-return]
    return function


class Hosts:
    """The hosts of a run: one for each folder of plugins."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._hosts: dict[Path, Any] = {}

    def of(self, plugin: Path) -> Any:
        """The host of a plugin's folder, started when first needed. Skips the test where there is none."""
        from appfactory.testing.host_process import HostProcess

        plugins_folder = plugin.parent
        if plugins_folder not in self._hosts:
            try:
                command = find_host(plugin)
            except HostMissing as missing:
                pytest.skip(str(missing))
            self._hosts[plugins_folder] = HostProcess(command, plugins_folder, self._config.rootpath)
        return self._hosts[plugins_folder]

    def close(self) -> None:
        """Ends all hosts."""
        for host in self._hosts.values():
            host.close()


@pytest.fixture(scope="session")
def _plugin_hosts(pytestconfig: pytest.Config) -> Iterator[Hosts]:
    hosts = Hosts(pytestconfig)
    yield hosts
    hosts.close()


@pytest.fixture
def plugin_config() -> dict[str, Any]:
    """What the fixture `plugin` is configured with, over the manifest's defaults. Define your own."""
    return {}


@async_fixture
async def plugin(request: pytest.FixtureRequest, plugin_config: dict[str, Any]) -> AsyncIterator[Any]:
    """The plugin's class as an object in this process, initialized; it is shut down behind the test."""
    from appfactory.testing.instance import DirectCall, default_config, make_plugin, read_manifest

    folder, call = plugin_of(request.path), DirectCall()
    manifest = read_manifest(folder)
    made = make_plugin(folder, manifest)
    await made.initialize({**default_config(manifest), **plugin_config}, call)
    yield made.instance
    await made.shutdown(call)


@pytest.fixture
def plugin_host(_plugin_hosts: Hosts, request: pytest.FixtureRequest) -> Any:
    """A real `appfactory-host` for the folder that holds the plugin. Skips the test where there is none."""
    return _plugin_hosts.of(plugin_of(request.path))


@pytest.fixture
def load_plugin(_plugin_hosts: Hosts, request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """`load_plugin(folder, config)` runs a plugin in its own process. Default: the plugin of the test."""
    loaded = []

    def load(folder: Any = None, config: dict[str, Any] | None = None) -> Any:
        plugin_folder = plugin_of(request.path) if folder is None else Path(folder).resolve()
        plugin = _plugin_hosts.of(plugin_folder).load(plugin_folder.name, config)
        loaded.append(plugin)
        return plugin

    yield load
    for plugin in loaded:
        if plugin.is_loaded:
            plugin.unload()


def plugin_of(test: Path) -> Path:
    """The folder of the plugin that a test is about."""
    near = plugin_folders_near(test)
    if len(near) == 1:
        return near[0]
    found = (
        f"there are {', '.join(each.name for each in near)}" if near else "there is no manifest.json above it"
    )
    raise pytest.UsageError(
        f"{test}: which plugin is it about? {found}. "
        "Put the test into the plugin's folder, or call load_plugin(folder)"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Makes a test of each check where a test asks for `contract_check`."""
    if "contract_check" not in metafunc.fixturenames:
        return
    if metafunc.config.getoption("--no-contract-checks"):
        skipped = pytest.param(None, id="all", marks=pytest.mark.skip(reason="--no-contract-checks"))
        metafunc.parametrize("contract_check", [skipped])
        return
    mark = metafunc.definition.get_closest_marker("contract_checks")
    options = mark.kwargs if mark else {}
    folder = plugin_of(metafunc.definition.path)
    checks = metafunc.config.stash[checks_key]
    key = f"{folder} {options}"
    if key not in checks:
        checks[key] = parameters_of(folder, dict(options))
    metafunc.parametrize("contract_check", checks[key])


def parameters_of(folder: Path, options: dict[str, Any]) -> list[Any]:
    """The checks of a plugin; else one test that says why there are none."""
    from appfactory.testing.contract_checks import ContractCheck, run_checks

    try:
        return [pytest.param(check, id=check.id) for check in run_checks(folder, **options)]
    except HostMissing as missing:
        return [pytest.param(None, id="all", marks=pytest.mark.skip(reason=str(missing)))]
    except RuntimeError as error:
        outcome = {"id": "all", "title": "The checks run", "status": "failed", "reason": str(error)}
        return [pytest.param(ContractCheck(outcome), id="all")]


__all__ = ["load_plugin", "plugin", "plugin_config", "plugin_folder_above", "plugin_host"]
