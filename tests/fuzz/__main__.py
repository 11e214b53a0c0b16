"""Make calls, and report each that raises what no caller should see, or takes long.

A call that ends the interpreter, or does not heed the signal that its time is over, is named by a file.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import os
import signal
import sys
import tempfile
import traceback
import warnings

import numpy as np

from . import interface, raw
from .draws import REFUSALS

CALLS = (*raw.CALLS, *interface.CALLS)


class TookTooLongError(BaseException):
    """Raised by the alarm; nothing that a call may suppress."""


def give_up(*_: object) -> None:
    raise TookTooLongError


def main() -> int:
    """Return how many calls failed, at most 1."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    options.add_argument("--first", type=int, default=0, help="number of the first call")
    options.add_argument("--seconds", type=float, default=20, help="CPU time after which a call has failed")
    asked = options.parse_args()
    faulthandler.enable()
    signal.signal(signal.SIGPROF, give_up)
    warnings.simplefilter("ignore")
    progress, path = tempfile.mkstemp(prefix="fuzz-")
    print(f"--seed {asked.seed}; the number of the call being made is in {path}", flush=True)
    outcomes: collections.Counter[str] = collections.Counter()
    for number in range(asked.first, asked.first + asked.calls):
        call = CALLS[number % len(CALLS)]
        os.pwrite(progress, f"{number:<12}".encode(), 0)
        # CPU time, as other processes may slow this one down; a call that waits for nothing ends by the clock.
        faulthandler.dump_traceback_later(30 * asked.seconds, exit=True)
        try:
            signal.setitimer(signal.ITIMER_PROF, asked.seconds)
            call(np.random.default_rng([asked.seed, number]))
            outcomes["returned"] += 1
        except REFUSALS:
            outcomes["refused"] += 1
        except (Exception, TookTooLongError):
            outcomes["failed"] += 1
            print(f"--- {call.__module__}.{call.__name__}: --seed {asked.seed} --first {number} --calls 1")
            traceback.print_exc(file=sys.stdout)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    faulthandler.cancel_dump_traceback_later()
    os.remove(path)
    print(", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()))
    return min(outcomes["failed"], 1)


if __name__ == "__main__":
    sys.exit(main())
