"""Times of the cases of limits.cpp, on one thread, beside the least that their arithmetic allows.

    python benchmarks/python/limits.py build/bench/hessorbit_benchmarks_v4

The limit of a case is (multiply-adds + values · multiplications of an activation) over the rate of multiply-adds of
registers, which the program measures; what is loaded, stored, added or waited for counts nothing. A line holds a case,
the time of one call or step, the limit, and the share that the limit is of the time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import counts
from summary import duration, table

CASES = "^(rate_of_registers|(hessian|gradient|descent)/[a-z0-9_]+)$"
HEAD = ["of", "case", "takes", "limit", "share"]


@dataclass(frozen=True)
class Case:
    """A case as the program names it: what of which network, on how many samples."""

    kind: str
    sizes: tuple[int, ...]
    samples: int
    words: tuple[str, ...]

    @classmethod
    def named(cls, name: str) -> Case:
        """Reads a name, such as "hessian/10_64_64_3_1000_gelu_classes"."""
        kind, _, rest = name.partition("/")
        parts = rest.split("_")
        *sizes, samples = (int(part) for part in parts if part.isdigit())
        return cls(kind, tuple(sizes), samples, tuple(part for part in parts if not part.isdigit()))

    def __str__(self) -> str:
        return f"({', '.join(map(str, (*self.sizes, self.samples)))}) {' '.join(self.words)}".rstrip()

    @property
    def multiply_adds(self) -> int:
        """Of one call or step, the multiplications of the activation included."""
        loss = "cross_entropy" if "classes" in self.words else "squared_error"
        activation = next((word for word in self.words if word in counts.MULTIPLICATIONS), "tanh")
        curved = self.kind == "hessian"
        products = counts.hessian(self.sizes, loss) if curved else counts.gradient(self.sizes)
        return self.samples * (products + sum(self.sizes[1:-1]) * counts.MULTIPLICATIONS[activation][curved])


def measured(program: Path) -> dict[str, dict[str, Any]]:
    """What the program says of each case, by name."""
    command = [program, f"--benchmark_filter={CASES}", "--benchmark_format=json"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {record["name"]: record for record in found["benchmarks"]}


def lines(records: dict[str, dict[str, Any]]) -> list[list[str]]:
    rate = records["rate_of_registers"]["multiply_adds"]
    found = []
    for name, record in records.items():
        if name == "rate_of_registers":
            continue
        case, seconds = Case.named(name), record["seconds"]
        limit = case.multiply_adds / rate
        found.append([case.kind, str(case), duration(seconds), duration(limit), f"{limit / seconds:.2f}"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="the C++ benchmarks, built for a level")
    records = measured(parser.parse_args().program)
    print(f"Registers do {2e-9 * records['rate_of_registers']['multiply_adds']:.3g} Gflop/s.\n")
    print(table(HEAD, lines(records)))


if __name__ == "__main__":
    main()
