"""`python -m plugins._host` is `appfactory-host`, with the same flags."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Optional


def find_host() -> Optional[str]:
    """The command of a project around the working directory, else the one in PATH."""
    here = Path.cwd()
    folders = [str(folder / "node_modules" / ".bin") for folder in (here, *here.parents)]
    return shutil.which("appfactory-host", path=os.pathsep.join([*folders, os.environ.get("PATH", "")]))


def main() -> int:
    """Runs the host in this process's place; where there is none, says how to install it."""
    host = find_host()
    if host is None:
        print(
            "appfactory-host is not installed. Install it: npm install -g @appfactory/host", file=sys.stderr
        )
        return 1
    if os.name == "nt":
        return subprocess.call([host, *sys.argv[1:]])
    os.execv(host, [host, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
