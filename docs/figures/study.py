"""Draw the figures of a stored study into one picture.

hessorbit study && python docs/figures/study.py study.sqlite docs/figures/study.png
"""

from __future__ import annotations

import sys

import matplotlib as mpl

from hessorbit.study import load

if __name__ == "__main__":
    store, picture = sys.argv[1:]
    mpl.use("agg")
    load(store).plot()[0].figure.savefig(picture, dpi=90)
