"""Which plugin a test is about, and how its modules are imported."""

from __future__ import annotations

import importlib
import sys
import sysconfig
from pathlib import Path


def plugin_folder_above(place: Path) -> Path | None:
    """The nearest folder with a manifest.json, from a file or folder upwards."""
    for folder in (place, *place.parents):
        if (folder / "manifest.json").is_file():
            return folder
    return None


def plugin_folders_near(place: Path) -> list[Path]:
    """The plugin that a file or folder belongs to; else the plugins beside it, or in a folder `plugins`."""
    above = plugin_folder_above(place)
    if above is not None:
        return [above]
    beside = place if place.is_dir() else place.parent
    places = [beside, beside / "plugins", beside.parent / "plugins"]
    return sorted({manifest.parent for each in places for manifest in each.glob("*/manifest.json")})


def make_importable(plugin: Path) -> None:
    """Lets tests import the plugin by the name of its folder, and its modules as the plugin itself does."""
    import plugins

    append_once(plugins.__path__, plugin.parent)
    site = sysconfig.get_path("purelib")
    index = sys.path.index(site) if site in sys.path else len(sys.path)
    for folder in (plugin.parent, plugin):
        if str(folder) not in sys.path:
            sys.path.insert(index, str(folder))


def append_once(paths: list[str], folder: Path) -> None:
    """Adds a folder to a list of paths."""
    if str(folder) not in paths:
        paths.append(str(folder))


def import_own_packages() -> None:
    """Imports `contracts` and `plugins` from beside this package: a folder of that name may come before."""
    beside = str(Path(__file__).parents[2])
    sys.path.insert(0, beside)
    try:
        for name in ("contracts", "plugins", "plugins._host"):
            importlib.import_module(name)
    finally:
        sys.path.remove(beside)
