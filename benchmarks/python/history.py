"""The history of measurements, benchmarks/results/history.jsonl: one line for each run, on whatever machine.

A line says when, of which commit, on which machine, and has the run's rows: the median over the turns in seconds, the
range between their quartiles as a part of it, how many turns there were, and the median beside a busy process.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rows import Record

ROOT = Path(__file__).resolve().parents[2]
HISTORY = ROOT / "benchmarks" / "results" / "history.jsonl"


def processor() -> str:
    """The first core's name, with family and model where it has them: names alone cover several generations."""
    try:
        lines = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    except OSError:
        return platform.processor()
    about = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    name = about.get("model name", "")
    return f"{name} (family {about['cpu family']}, model {about['model']})" if "cpu family" in about else name


def linear_algebra() -> str:
    """The BLAS that NumPy calls, and the kernels that it chose."""
    import numpy  # noqa: F401  loads it
    from threadpoolctl import threadpool_info

    found = [each for each in threadpool_info() if each["user_api"] == "blas" and "numpy" in each["filepath"]]
    return (
        " ".join(str(found[0].get(key) or "") for key in ("internal_api", "version", "architecture")) if found else ""
    )


def machine(threads: int) -> Record:
    """What times depend on beside the code; hessorbit is imported."""
    import hessorbit

    versions = {"python": platform.python_version()}
    for name in ("numpy", "scipy", "jax", "torch", "curvlinops-for-pytorch"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    built = hessorbit.configuration()
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "level": built["level"],
        "system": platform.platform(terse=True),
        "compiler": built["compiler"],
        "blas": linear_algebra(),
        "versions": versions,
    }


def git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def run(threads: int, rows: Sequence[Record]) -> Record:
    """One line of the history."""
    commit = git("rev-parse", "--short=12", "HEAD") or "unknown"
    changed = bool(git("status", "--porcelain", "--", "python", "cpp", "CMakeLists.txt"))
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {
        "date": date,
        "commit": f"{commit}, changed" if changed else commit,
        "machine": machine(threads),
        "rows": list(rows),
    }


def append(record: Record, path: Path = HISTORY) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record, ensure_ascii=False) + "\n")


def read(path: Path = HISTORY) -> list[Record]:
    """All runs, the oldest first."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return sorted(map(json.loads, lines), key=lambda record: record["date"])


def name_of(about: Record) -> str:
    """A machine, and how it was used: runs of one name can be compared."""
    return f"{about['processor']}, {about['cores']} cores, {about['threads']} threads, level {about['level']}"


def newest(records: Sequence[Record], machine: str | None = None) -> tuple[list[Record], list[Record]]:
    """The newest rows of a machine, and the runs that they come from, the newest last.

    The machine is that of the newest run whose name contains what is asked for. Rows of one contest and rival come
    from one run: the newest that has them.
    """
    named = [record for record in records if machine is None or machine in name_of(record["machine"])]
    if not named:
        known = "; ".join(dict.fromkeys(name_of(record["machine"]) for record in records))
        raise SystemExit(f"the history has no run on {machine or 'any machine'}; it has {known or 'none'}")
    name = name_of(named[-1]["machine"])
    groups: dict[tuple[str, str], list[Record]] = {}
    source: dict[tuple[str, str], Record] = {}
    for record in named:
        if name_of(record["machine"]) != name:
            continue
        fresh: dict[tuple[str, str], list[Any]] = {}
        for row in record["rows"]:
            fresh.setdefault((row["contest"], row["rival"]), []).append(row)
        groups |= fresh
        source |= dict.fromkeys(fresh, record)
    used = [record for record in named if any(record is each for each in source.values())]
    return [row for rows in groups.values() for row in rows], used
