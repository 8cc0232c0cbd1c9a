"""The debugger of a plugin's process: debugpy, on a free port of 127.0.0.1."""

from __future__ import annotations

import importlib.util
import sys

from appfactory.errors import PluginError
from appfactory.runtime import logs


def open_debugger(mode: str) -> None:
    """Listens for a debugger, and says where; with the mode "break" it waits for one."""
    try:
        import debugpy  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError as error:
        raise PluginError("DEPENDENCY_MISSING", _how_to_install(error), {"missing": ["debugpy"]}) from None
    # Tools and plugins that Python starts are not asked whether they want to be debugged.
    debugpy.configure(subProcess=False)
    _, port = debugpy.listen(("127.0.0.1", 0))
    logs.write_entry(6, f"Debugger listening on 127.0.0.1:{port}")
    if mode == "break":
        debugpy.wait_for_client()


def _how_to_install(error: ImportError) -> str:
    has_pip = importlib.util.find_spec("pip") is not None
    python = f'"{sys.executable}"'
    command = f"{python} -m pip install" if has_pip else f"uv pip install --python {python}"
    return f"There is no debugger: {logs.describe(error)}. Install it: {command} debugpy"
