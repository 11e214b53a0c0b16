"""Fill the tables of docs/performance.md and the picture of README.md from measured results.

    python benchmarks/python/report.py

Reads benchmarks/results/comparison.json (compare.py --json) and benchmarks/results/cost_model.json (cost_model.py
--json); replaces what stands between `<!-- name -->` and `<!-- end of name -->` in both pages, and draws
docs/figures/speed.svg. A result that is not there leaves its part as it is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from summary import duration, mark

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
FIGURE = Path("docs") / "figures" / "speed.svg"
PUBLISHED = "https://raw.githubusercontent.com/hessorbit/hessorbit/main"  # where a package index finds pictures


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine(about: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(about["versions"].items()))
    return (
        f"{about['processor']}, {about['cores']} cores, {about['threads']} threads, instruction level "
        f"{about['level']}; {versions}."
    )


def comparison(result: dict[str, Any]) -> str:
    rows = [
        [
            row["contest"], row["case"], row["rival"], duration(row["ours"]), duration(row["theirs"]),
            f"{row['ratio']:.3g}", f"{row['goal']:.3g}", mark(row["reached"]),
        ]
        for row in result["rows"]
    ]  # fmt: skip
    rows += [
        [f"{mean['contest']}, geometric mean", f"{mean['count']} cases", mean["rival"], "", "",
         f"{mean['mean']:.3g}", f"{mean['goal']:.3g}", mark(mean["reached"])]
        for mean in result["means"]
    ]  # fmt: skip
    head = ["what", "case", "against", "hessorbit", "theirs", "ratio", "goal", ""]
    notes = sorted({f"{row['contest']} against {row['rival']}: {row['note']}" for row in result["rows"] if row["note"]})
    return "\n\n".join([machine(result["machine"]), table(head, rows), *(f"- {note}" for note in notes)])


def cost_model(result: dict[str, Any]) -> str:
    fitted = result["fitted_seconds"]
    rates = (
        f"dgemm {result['flops'] / 1e9:.3g} Gflop/s on one thread; fitted: a row entry {fitted['row_entry'] * 1e9:.2g} "
        f"ns, an activation {fitted['activation'] * 1e9:.2g} ns, a byte {fitted['byte'] * 1e9:.2g} ns."
    )
    rows = [
        [
            record["kernel"], f"({', '.join(map(str, record['sizes']))})", f"{record['samples']:,}",
            f"{record['multiply_adds']:.3g}", f"{record['row_entries']:.3g}", f"{record['result_bytes']:.3g}",
            duration(record["predicted"]), duration(record["seconds"]), f"{record['rate'] / 1e9:.1f}",
        ]
        for record in result["records"]
    ]  # fmt: skip
    head = ["kernel", "sizes", "N", "multiply-adds", "row entries", "result bytes", "predicted", "measured", "Gflop/s"]
    return f"{rates}\n\n{table(head, rows)}"


def picture(result: dict[str, Any]) -> str:
    """The lines of the README, with the picture drawn."""
    draw(result, ROOT / FIGURE)
    means = {mean["rival"]: mean["mean"] for mean in result["means"]}
    words = " and ".join(f"{means[rival]:.0f} times as fast as {rival}" for rival in ("jax", "torch") if rival in means)
    image = f"![Times of exact Hessians, side by side]({PUBLISHED}/{FIGURE.as_posix()})"
    return f"{image}\n\nOver these networks hessorbit is {words} (geometric means)."


def draw(result: dict[str, Any], path: Path) -> None:
    """Times of exact Hessians as bars, one group for each network, on a logarithmic scale."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    hessians = [row for row in result["rows"] if row["contest"] == "Hessian" and row["rival"] in ("jax", "torch")]
    cases = list(dict.fromkeys(row["case"] for row in hessians))
    names = ["hessorbit", *dict.fromkeys(row["rival"] for row in hessians)]
    times = {name: dict.fromkeys(cases, float("nan")) for name in names}
    for row in hessians:
        times[row["rival"]][row["case"]] = row["theirs"]
        if row["rival"] == "jax":
            times["hessorbit"][row["case"]] = row["ours"]
    plt.rcParams.update({"svg.hashsalt": "speed", "font.size": 9})
    figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
    for index, (name, colour) in enumerate(zip(times, ("#1b6ca8", "#e0a030", "#c0504d"), strict=False)):
        places = [place + (index - 1) * 0.27 for place in range(len(cases))]
        axes.bar(places, [times[name][case] for case in cases], 0.25, color=colour, label=name)
    axes.set(yscale="log", ylabel="seconds", xlabel="(inputs, hidden, outputs, samples)")
    axes.set_xticks(range(len(cases)), cases, rotation=20, ha="right")
    axes.legend(frameon=False, ncols=3, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def fill(page: Path, name: str, text: str) -> None:
    """Replace what stands between the markers of `name`."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, opening, rest = page.read_text("utf-8").partition(start)
    _, closing, after = rest.partition(end)
    if not opening or not closing:
        raise SystemExit(f"{page} has no place marked {start} … {end}")
    page.write_text(f"{before}{start}\n\n{text}\n\n{end}{after}", "utf-8")


PLACES = [
    ("comparison.json", "docs/performance.md", "comparison", comparison),
    ("cost_model.json", "docs/performance.md", "cost model", cost_model),
    ("comparison.json", "README.md", "speed", picture),
]


def main() -> None:
    for source, page, name, text in PLACES:
        path = RESULTS / source
        if path.exists():
            fill(ROOT / page, name, text(json.loads(path.read_text("utf-8"))))
            print(f"{page}: {name}")
        else:
            print(f"{page}: {name} left as it is, there is no {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
