"""Compare hessorbit with jax, torch, curvlinops and BLAS, side by side on this machine.

    python benchmarks/python/compare.py                      all contests, table on the terminal
    python benchmarks/python/compare.py jax blas --record    and a line in the history
    python benchmarks/python/compare.py --threads 1 --busy   once more beside a process that keeps one core busy

Needs `pip install ".[bench]"`. Every time is a median of interleaved turns after a warm-up; a ratio is theirs / ours.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contests", nargs="*", metavar="contest", help="which contests to run; all by default")
    parser.add_argument("--threads", type=int, default=2, help="threads for everybody (default 2)")
    parser.add_argument("--turns", type=int, default=7, help="of each contestant, at most (default 7)")
    parser.add_argument("--seconds", type=float, default=30, help="after which a contest ends early (default 30)")
    parser.add_argument("--busy", action="store_true", help="each contest once more, beside one busy process")
    parser.add_argument(
        "--record", nargs="?", type=Path, const=True, help="add the run to the history, or to the file that is named"
    )
    return parser.parse_args()


def limit_threads(threads: int) -> None:
    """Before anything that makes a thread pool is imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(threads)
    if threads == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def main() -> int:
    options = arguments()
    limit_threads(options.threads)
    import history
    import timing
    from contests import CONTESTS
    from summary import print_row, print_summary

    unknown = [name for name in options.contests if name not in CONTESTS]
    if unknown:
        print(f"unknown contests {', '.join(unknown)}; choose from {', '.join(CONTESTS)}", file=sys.stderr)
        return 2
    timing.PACE.turns, timing.PACE.seconds, timing.PACE.busy = options.turns, options.seconds, options.busy
    print(history.name_of(history.machine(options.threads)))
    rows = []
    try:
        for name in options.contests or CONTESTS:
            for row in CONTESTS[name]():
                rows.append(row.record())
                print_row(rows[-1])
    finally:  # a run that is cut short is recorded as far as it came
        if options.record and rows:
            path = history.HISTORY if options.record is True else options.record
            history.append(history.run(options.threads, rows), path)
    print_summary(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
