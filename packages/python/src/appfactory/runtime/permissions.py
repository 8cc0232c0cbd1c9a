"""The `permissions` of a manifest, as a seat belt: an audit hook refuses what was not granted.

It keeps honest code from mistakes, and is no sandbox. These are not limited: native code (extension modules,
ctypes), descriptors that are open already, and children of a plugin that may start some. `addons`, `worker`
and `wasi` mean nothing here.
"""

from __future__ import annotations

import errno
import os
import site
import sys
from collections.abc import Callable
from typing import Any

# Where Python and its packages look up names, zones and certificates.
_SYSTEM = ("/dev/null", "/dev/urandom", "/dev/random", "/proc/self", "/usr/share/zoneinfo", "/etc")

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_CHILDREN = {
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.system",
    "pty.spawn",
    "subprocess.Popen",
}

_NETWORK = {
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "socket.getnameinfo",
    "socket.sendmsg",
    "socket.sendto",
}

# Which arguments of an event are paths that it reads, or changes.
_READ_PATHS = {"os.listdir": (0,), "os.scandir": (0,), "os.walk": (0,), "os.chdir": (0,)}
_WRITE_PATHS = {
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.link": (0, 1),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "os.utime": (0,),
    "shutil.rmtree": (0,),
}


def restrict(permissions: Any, folder: str) -> None:
    """Refuses what `permissions` do not grant, from now on. Relative paths are in `folder`, the plugin's."""
    granted = Granted(permissions, folder)
    checks: dict[str, Callable[[tuple[Any, ...]], None]] = {
        "open": granted.check_open,
        "sqlite3.connect": granted.check_database,
    }
    checks.update((event, granted.check_child) for event in _CHILDREN)
    checks.update((event, granted.check_network) for event in _NETWORK)
    checks.update((event, granted.checker("fs_read", at)) for event, at in _READ_PATHS.items())
    checks.update((event, granted.checker("fs_write", at)) for event, at in _WRITE_PATHS.items())

    def hook(event: str, args: tuple[Any, ...]) -> None:
        check = checks.get(event)
        if check is not None:
            check(args)

    sys.addaudithook(hook)


class Granted:
    """What a manifest grants: names, and folders or files for `fs_read` and `fs_write`."""

    def __init__(self, permissions: Any, folder: str) -> None:
        asked = list(_asked_for(permissions))
        self._names = {name for name, _ in asked}
        self._paths: dict[str, list[str]] = {
            "fs_read": [*_SYSTEM, *_code_folders(folder)],
            "fs_write": [os.devnull],
        }
        for name, path in asked:
            if name in self._paths:
                root = os.path.abspath(os.sep)
                self._paths[name].append(root if path in (None, "*") else os.path.join(folder, str(path)))
        # What may be written may be read back.
        self._paths["fs_read"] += self._paths["fs_write"]
        self._roots = {name: _forms(paths) for name, paths in self._paths.items()}

    def check_open(self, args: tuple[Any, ...]) -> None:
        """Event `open`: path, mode, flags."""
        path, mode, flags = (*args, None, None)[:3]
        writes = any(sign in mode for sign in "wax+") if isinstance(mode, str) else False
        if isinstance(flags, int) and flags & _WRITES:
            writes = True
        self._check_path("fs_write" if writes else "fs_read", path)

    def check_database(self, args: tuple[Any, ...]) -> None:
        """Event `sqlite3.connect`: the file, or a URI of it. SQLite opens it by itself."""
        path, query = os.fsdecode(args[0]), ""
        if path.startswith("file:"):
            path, _, query = path[len("file:") :].partition("?")
        if path not in ("", ":memory:"):
            self._check_path("fs_read" if "mode=ro" in query else "fs_write", path)

    def checker(self, name: str, positions: tuple[int, ...]) -> Callable[[tuple[Any, ...]], None]:
        """Checks the paths that are at `positions` of an event's arguments."""

        def check(args: tuple[Any, ...]) -> None:
            for at in positions:
                self._check_path(name, args[at] if at < len(args) else None)

        return check

    def check_child(self, _args: tuple[Any, ...]) -> None:
        """Events that start another program."""
        if "child_process" not in self._names:
            raise _refused("start a process", "child_process", None)

    def check_network(self, _args: tuple[Any, ...]) -> None:
        """Events that reach for the network."""
        if "network" not in self._names:
            raise _refused("use the network", "network", None)

    def _check_path(self, name: str, path: Any) -> None:
        if path is None:
            path = "."
        if not isinstance(path, (str, bytes, os.PathLike)):
            # A descriptor that is open already.
            return
        real = os.path.realpath(os.fsdecode(path))
        if not any(
            real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in self._roots[name]
        ):
            raise _refused("write" if name == "fs_write" else "read", name, os.fsdecode(path))


def _refused(what: str, name: str, path: str | None) -> PermissionError:
    grant = f'"{name}"' if path is None else f'"{name}" or "{name}:{path}"'
    message = f'This plugin may not {what}. To allow it, add {grant} to "permissions" in its manifest.json'
    # As any other code has it that a file may not be opened: importlib goes on without its cache, for one.
    return PermissionError(errno.EACCES, message, path)


def _asked_for(permissions: Any) -> list[tuple[str, str | None]]:
    """Each permission, once for each path."""
    if isinstance(permissions, list):
        split = [str(permission).partition(":") for permission in permissions]
        return [(name, path if colon else None) for name, colon, path in split]
    asked: list[tuple[str, str | None]] = []
    for name, value in permissions.items() if isinstance(permissions, dict) else ():
        if isinstance(value, list):
            asked += [(name, str(path)) for path in value]
        elif isinstance(value, str):
            asked.append((name, value))
        elif value:
            asked.append((name, None))
    return asked


def _code_folders(folder: str) -> list[str]:
    """The folders with the code of the plugin, of its packages, of the runtime and of Python."""
    runtime = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    own = [folder, runtime, sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    return [*own, *site.getsitepackages(), *(path for path in sys.path if path)]


def _forms(paths: list[str]) -> tuple[str, ...]:
    """Paths with symlinks resolved, as those that are asked for are compared."""
    return tuple(dict.fromkeys(os.path.realpath(path) for path in paths))
