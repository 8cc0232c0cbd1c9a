"""What authors' code throws: words for the caller, the stack for the log."""

from __future__ import annotations

import importlib
import os
import sys
from types import TracebackType
from typing import Any, Dict, List, Optional

from appfactory.errors import ErrorCodes, PluginError

# How many causes of an error are named.
MAX_CAUSES = 5

# A longer text of an error is cut, in characters.
MAX_TEXT = 10_000


def describe(error: BaseException) -> str:
    """The words of an error and of its causes, even where looking at it throws again."""
    words: List[str] = []
    seen: List[BaseException] = []
    current: Optional[BaseException] = error
    while current is not None and current not in seen and len(seen) < MAX_CAUSES:
        seen.append(current)
        own = _words(current)
        if not any(own in earlier for earlier in words):
            words.append(own)
        current = current.__cause__
    return ": ".join(words)


def _words(error: BaseException) -> str:
    name = type(error).__name__
    try:
        text = str(error)
    except BaseException:
        return f"{name}, whose text can't be read"
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}… ({len(text)} characters)"
    # The text of these is nothing but a key, a status or a value.
    is_bare = isinstance(error, (KeyError, SystemExit, StopIteration)) or not text
    return f"{name}: {text}".rstrip(": ") if is_bare else text


def log_thrown(error: BaseException) -> None:
    """Writes an error with its stack to the plugin's log. Never throws."""
    import logging

    try:
        information = (type(error), error, _from_the_author(error))
        logging.getLogger("appfactory").error("%s", describe(error), exc_info=information)
    except BaseException:
        logging.getLogger("appfactory").error("%s, whose stack can't be shown", type(error).__name__)


_RUNTIME = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_BEFORE_THE_AUTHOR = (_RUNTIME, os.path.dirname(importlib.__file__) + os.sep, "<frozen ")


def _from_the_author(error: BaseException) -> Optional[TracebackType]:
    """The stack without the frames of the runtime and of imports before the author's."""
    first = error.__traceback__
    while first is not None and first.tb_frame.f_code.co_filename.startswith(_BEFORE_THE_AUTHOR):
        first = first.tb_next
    # Without a frame of the author's, the error is the runtime's own, or names the author's line itself.
    return first if first is not None or isinstance(error, SyntaxError) else error.__traceback__


def place_of(error: BaseException, folder: str) -> Optional[str]:
    """The line of the plugin's own code that threw it: `/…/main.py:12`. None where there is none."""
    if isinstance(error, SyntaxError) and error.filename and _is_own(error.filename, folder):
        return f"{error.filename}:{error.lineno}"
    place = None
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if _is_own(file, folder):
            place = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def where(error: BaseException, folder: str) -> Dict[str, Any]:
    """`place_of` as data of a PluginError."""
    place = place_of(error, folder)
    return {"place": place} if place else {}


def _is_own(file: str, folder: str) -> bool:
    inside = file.startswith(folder + os.sep)
    return inside and "site-packages" not in file and f"{os.sep}.venv{os.sep}" not in file


def explain(error: BaseException, plugin: str, method: str) -> PluginError:
    """The error that the caller gets: a PluginError as it is, of a ValueError INVALID_PARAMS."""
    if isinstance(error, PluginError):
        # Its cause stays here, so it is in the log or nowhere.
        if error.__cause__ is not None:
            log_thrown(error)
        return _checked(error)
    data: Dict[str, Any] = {"plugin": plugin, "method": method, "error": type(error).__name__}
    if isinstance(error, ValueError) and not isinstance(error, UnicodeError):
        log_thrown(error)
        return PluginError(ErrorCodes.INVALID_PARAMS, f"{plugin}: {method}: {describe(error)}", data)
    log_thrown(error)
    return PluginError(
        ErrorCodes.INTERNAL_ERROR,
        f"{plugin}: {method} failed: {describe(error)} (the stack is in the log of {plugin})",
        data,
    )


def _checked(error: PluginError) -> PluginError:
    """The same with members that the wire can carry: authors may have put anything in their place."""
    from appfactory.plugin.values import to_json

    code = error.code if type(error.code) is int else ErrorCodes.INTERNAL_ERROR
    try:
        message = str(error.message)
    except BaseException:
        message = ""
    try:
        data = to_json(error.data)
    except BaseException:
        data = None
    return PluginError(code, message, data)


def import_failed(
    error: BaseException, entry_file: str, folder: str, manifest: Dict[str, Any]
) -> PluginError:
    """The error of an entry point that can't be imported: DEPENDENCY_MISSING or PLUGIN_LOAD_FAILED."""
    if isinstance(error, PluginError):
        return error
    log_thrown(error)
    module = _missing_package(error, folder)
    if module is not None:
        needed = _requirement_of(module, manifest)
        return PluginError(
            ErrorCodes.DEPENDENCY_MISSING,
            f"No module named {module!r} in {sys.executable}. Install it: {_install_command(needed, folder)}",
            {"missing": [needed]},
        )
    place = place_of(error, folder)
    at = f" (at {place})" if place else ""
    kind = "" if type(error).__name__ in describe(error) else f"{type(error).__name__}: "
    return PluginError(
        ErrorCodes.PLUGIN_LOAD_FAILED,
        f"{entry_file} could not be imported: {kind}{describe(error)}{at}",
        where(error, folder),
    )


def _missing_package(error: BaseException, folder: str) -> Optional[str]:
    """The top-level module that is not installed; None where it is the plugin's own, or part of Python."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    top = error.name.partition(".")[0]
    own = os.path.join(folder, top)
    is_own = top in ("plugins", "contracts", "appfactory", os.path.basename(folder))
    if is_own or os.path.isfile(f"{own}.py") or os.path.isdir(own):
        return None
    if top in sys.modules:
        # It is there, and has no such part.
        return None
    return None if top in getattr(sys, "stdlib_module_names", ()) else top


# Names of packages that are not those of their modules.
_PACKAGES = {
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dotenv": "python-dotenv",
    "PIL": "Pillow",
    "serial": "pyserial",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}


def _requirement_of(module: str, manifest: Dict[str, Any]) -> str:
    """The manifest's requirement of a module or, where it has none, the package's name."""
    import re

    package = _PACKAGES.get(module, module)
    wanted = re.sub(r"[-_.]+", "-", package).lower()
    for requirement in manifest.get("dependencies") or []:
        name = re.match(r"[A-Za-z0-9._-]+", str(requirement))
        if name and re.sub(r"[-_.]+", "-", name.group()).lower() == wanted:
            return str(requirement)
    return package


def _install_command(requirement: str, folder: str) -> str:
    """Installs into the plugin's virtual environment; without one, into a new one in its folder."""
    import importlib.util

    quoted = f'"{requirement}"'
    if sys.prefix == sys.base_prefix:
        python = os.path.join(
            folder, ".venv", *(("Scripts", "python") if os.name == "nt" else ("bin", "python"))
        )
        environment = os.path.join(folder, ".venv")
        return f'"{sys.executable}" -m venv "{environment}" && "{python}" -m pip install {quoted}'
    if importlib.util.find_spec("pip") is None:
        return f'uv pip install --python "{sys.executable}" {quoted}'
    return f'"{sys.executable}" -m pip install {quoted}'
