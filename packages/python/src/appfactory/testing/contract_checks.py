"""The checks of a plugin's contract, which `appfactory-host test` runs, one test for each."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from appfactory.testing.host_command import find_host, host_environment


class ContractCheck:
    """The outcome of one check. Calling it fails or skips the test, with the reason."""

    def __init__(self, outcome: dict[str, Any]) -> None:
        self.id: str = outcome["id"]
        self.title: str = outcome["title"]
        self.status: str = outcome["status"]
        self.reason: str | None = outcome.get("reason")

    def __call__(self) -> None:
        import pytest

        text = f"{self.title}: {self.reason}" if self.reason else self.title
        if self.status in ("skipped", "blocked"):
            pytest.skip(f"{self.status}: {text}")
        if self.status == "failed":
            pytest.fail(text, pytrace=False)

    def __repr__(self) -> str:
        return f"<ContractCheck {self.id}: {self.status}>"


def run_checks(
    folder: Path, *, config: Any = None, samples: Any = None, only: Any = ()
) -> list[ContractCheck]:
    """Runs the checks of a plugin. Raises HostMissing, or RuntimeError if there is no report."""
    with tempfile.TemporaryDirectory() as temporary:
        arguments = [*find_host(folder), "test", str(folder), "--json"]
        if config is not None:
            arguments += ["--config", json.dumps(config)]
        if samples is not None:
            file = Path(temporary, "samples.json")
            file.write_text(json.dumps(samples), encoding="utf-8")
            arguments += ["--samples", str(file)]
        for pattern in [only] if isinstance(only, str) else only:
            arguments += ["--only", pattern]
        ended = subprocess.run(
            arguments, cwd=folder, env=host_environment(), stdin=subprocess.DEVNULL, capture_output=True
        )
    return read_report(ended.stdout, ended.stderr.decode("utf-8", "replace"))


def read_report(output: bytes, complaints: str) -> list[ContractCheck]:
    """The checks in what the command printed."""
    try:
        report = json.loads(output)
    except ValueError:
        printed = output.decode("utf-8", "replace")
        raise RuntimeError(f"`appfactory-host test` printed no report:\n{printed}{complaints}") from None
    if "error" in report:
        raise RuntimeError(f"`appfactory-host test` failed: {report['error']['message']}")
    return [ContractCheck(outcome) for outcome in report["results"]]
