"""Compare hessorbit with jax, torch and BLAS, side by side on this machine.

    python benchmarks/python/compare.py                      all contests, table on the terminal
    python benchmarks/python/compare.py jax blas --json out.json
    python benchmarks/python/compare.py --threads 1

Needs `pip install ".[bench]"`. Every time is a median of interleaved turns after a warm-up; a ratio is theirs / ours.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contests", nargs="*", metavar="contest", help="which contests to run; all by default")
    parser.add_argument("--threads", type=int, default=2, help="threads for everybody (default 2)")
    parser.add_argument("--json", type=Path, help="also write the rows and the machine to this file")
    return parser.parse_args()


def limit_threads(threads: int) -> None:
    """Before anything that makes a thread pool is imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def machine(threads: int) -> dict[str, object]:
    import importlib.metadata

    import numpy

    import hessorbit

    versions = {"numpy": numpy.__version__, "python": platform.python_version()}
    for name in ("jax", "torch", "scipy"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    level = hessorbit.configuration()["level"]
    return {"processor": processor(), "cores": os.cpu_count(), "threads": threads, "level": level, "versions": versions}


def main() -> int:
    options = arguments()
    limit_threads(options.threads)
    from contests import CONTESTS
    from rows import means
    from summary import print_row, print_summary

    unknown = [name for name in options.contests if name not in CONTESTS]
    if unknown:
        print(f"unknown contests {', '.join(unknown)}; choose from {', '.join(CONTESTS)}", file=sys.stderr)
        return 2
    about = machine(options.threads)
    print(f"{about['processor']}, {options.threads} threads, instruction level {about['level']}")
    rows = []
    for name in options.contests or CONTESTS:
        for row in CONTESTS[name]():
            rows.append(row)
            print_row(row)
            if options.json:
                result = {"machine": about, "rows": [each.record() for each in rows], "means": means(rows)}
                options.json.parent.mkdir(parents=True, exist_ok=True)
                options.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    print_summary(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
