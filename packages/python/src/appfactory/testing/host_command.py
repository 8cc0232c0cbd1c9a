"""Where the command `appfactory-host` is."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

how_to_get_one = (
    "no appfactory-host was found: run `npm install --save-dev @appfactory/host` in the plugin's folder, "
    "or name the command in APPFACTORY_HOST"
)


class HostMissing(Exception):
    """There is no `appfactory-host`. The message says how to get one."""


def find_host(near: Path) -> list[str]:
    """The command: APPFACTORY_HOST, else that of a node_modules from `near` upwards, else one in PATH."""
    named = os.environ.get("APPFACTORY_HOST")
    if named:
        return command_of(named)
    for folder in (near, *near.parents):
        found = shutil.which("appfactory-host", path=str(folder / "node_modules" / ".bin"))
        if found:
            return [found]
    found = shutil.which("appfactory-host")
    if found:
        return [found]
    raise HostMissing(how_to_get_one)


def command_of(named: str) -> list[str]:
    """The command that a path or name stands for. Node runs a JavaScript file."""
    if named.endswith((".js", ".mjs", ".cjs")):
        return [shutil.which("node") or "node", named]
    found = shutil.which(named)
    if found is None:
        raise HostMissing(f"APPFACTORY_HOST: {named} is no command; name that of appfactory-host")
    return [found]


def host_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a host: plugins run on the Python that runs the tests, unless another is named."""
    return {"AF_PYTHON": sys.executable, **environ}
