"""Compare two builds of hessorbit, each in a virtual environment of its own, in turns on this machine.

    python benchmarks/python/builds.py OLD/bin/python NEW/bin/python
    python benchmarks/python/builds.py OLD/bin/python NEW/bin/python --calls hessian "canonical (10, 2000, 1)"

Runs the same calls in both and prints a table. What is slower is measured once more, with twice the turns; a call that
stays slower by more than 15 % and by more than its times leave in doubt makes the exit status 1.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

from cases import COSTS, EQUIVALENCE
from contests import BATCH, DEEP, GRADIENT, GRID, batch, our, our_descent
from regressions import ALLOWED, Change, table
from timing import PACE, Maker, Pace, contest

CALLS: dict[str, Maker] = {
    **{f"hessian {problem}": partial(our, "hessian", problem) for problem in [*GRID, *DEEP]},
    **{f"gradient {problem}": partial(our, "gradient", problem) for problem in GRADIENT},
    **{f"1,000 steps of {method}": partial(our_descent, method, 1000) for method in ("gd", "adam")},
    f"1,000 Hessians {BATCH}": partial(batch, 2),
    **{f"{case.name} {case.of}": case.make for case in [*EQUIVALENCE, *COSTS]},
}


def measured(name: str, pythons: dict[str, str], pace: Pace) -> Change:
    """A call in both builds, in turns."""
    try:
        times = contest(dict.fromkeys(pythons, CALLS[name]), pythons=pythons, pace=pace)
    except RuntimeError as error:  # an older build may not have what is called
        return Change(name, None, None, str(error).splitlines()[0])
    return Change(name, times["old"], times["new"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", help="the interpreter of the environment with the older build")
    parser.add_argument("new", help="and that of the newer one")
    parser.add_argument("--calls", nargs="+", default=[""], help="parts of the names of the calls; all by default")
    parser.add_argument("--turns", type=int, default=9, help="of each build and call, at most (default 9)")
    parser.add_argument(
        "--seconds", type=float, default=PACE.seconds, help="after which a call's turns end (default 30)"
    )
    parser.add_argument("--allowed", type=float, default=ALLOWED, help="slow-down that is no finding (default 0.15)")
    options = parser.parse_args()
    pythons = {"old": options.old, "new": options.new}
    names = [name for name in CALLS if any(part in name for part in options.calls)]
    if not names:
        parser.error(f"no call has any of {', '.join(options.calls)} in its name; there are {', '.join(CALLS)}")
    changes = []
    for name in names:
        change = measured(name, pythons, Pace(options.turns, options.seconds))
        if change.slower(options.allowed):
            change = measured(name, pythons, Pace(2 * options.turns, 2 * options.seconds))
        changes.append(change)
        print(table([change], options.allowed).splitlines()[-1], file=sys.stderr, flush=True)
    print(table(changes, options.allowed))
    slower = [change for change in changes if change.slower(options.allowed)]
    print(f"\n{len(slower)} of {len(changes)} calls are slower")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
