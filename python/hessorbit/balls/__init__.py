"""Losses, derivatives and eigenvalues in ball arithmetic: every result encloses the truth, and so proves it.

F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic", IEEE Trans. Computers 66
(2017). The extra `certify` brings it as python-flint.
"""

from __future__ import annotations
