"""Fill the tables of docs/performance.md and the picture of README.md from measured results.

    python benchmarks/python/report.py [--machine NAME]

Takes the newest rows of a machine from the history (history.py): of the one whose name contains what is asked for, by
default of the newest run's. Takes the cost model from benchmarks/results/cost_model.json (cost_model.py --json).
Replaces what stands between `<!-- name -->` and `<!-- end of name -->` in both pages, and draws docs/figures/speed.svg.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

from history import ROOT, name_of, newest, read
from rows import Record, geometric_mean, means, ratio, reached
from summary import duration, mark, table

COST_MODEL = ROOT / "benchmarks" / "results" / "cost_model.json"
FIGURE = Path("docs") / "figures" / "speed.svg"
PUBLISHED = "https://raw.githubusercontent.com/hessorbit/hessorbit/main"  # where a package index finds pictures
BUDGET = "a budget"
SUMMARY = {  # contests by which machines are compared, each against one rival, and what they are called there
    ("Hessian", "jax"): "Hessians against jax", ("Hessian", "torch"): "torch", ("Hessian", "curvlinops"): "curvlinops",
    ("Hessian", "dsyrk"): "dsyrk", ("deep Hessian", "jax"): "deep, against jax", ("gradient", "jax"): "gradients",
    ("10,000 steps of gd", "jax"): "gd", ("10,000 steps of adam", "jax"): "adam",
}  # fmt: skip


def about(rows: Sequence[Record], runs: Sequence[Record]) -> str:
    """The machine, and the commits at which the rows were measured."""
    machine = runs[-1]["machine"]
    details = [machine[key] for key in ("system", "compiler", "blas") if machine.get(key)]
    versions = [f"{name} {version}" for name, version in sorted(machine["versions"].items())]
    return f"{name_of(machine)}; {', '.join(details + versions)}. {origins(rows, runs)}"


def kinds(rows: Sequence[Record]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row["contest"], row["rival"]) for row in rows))


def named(contests: Sequence[tuple[str, str]]) -> str:
    """Each contest once, with its rivals if it has any."""
    rivals: dict[str, list[str]] = {}
    for contest, rival in contests:
        rivals.setdefault(contest, []).extend([rival] if rival not in ("", BUDGET) else [])
    return "; ".join(f"{name} against {listed(others)}" if others else name for name, others in rivals.items())


def listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def origins(rows: Sequence[Record], runs: Sequence[Record]) -> str:
    """Which commits were measured when, the newest first; of the others, for which of the rows."""
    left, groups = kinds(rows), dict[tuple[str, str], list[tuple[str, str]]]()
    for run in reversed(runs):
        found = [kind for kind in left if kind in kinds(run["rows"])]
        left = [kind for kind in left if kind not in found]
        if found:
            groups.setdefault((run["commit"], run["date"][:10]), []).extend(found)
    ((commit, date), _), *older = groups.items()
    others = [f"At {commit} on {date}: {named(contests)}." for (commit, date), contests in older]
    return " ".join([f"Measured at commit {commit} on {date}.", *others])


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def percent(times: Record) -> str:
    """The range between the quartiles; nothing where there was one turn, or it was not kept."""
    return "" if times["turns"] < 2 or times["spread"] is None else f"{times['spread']:.0%}"


def comparison(rows: Sequence[Record], runs: Sequence[Record]) -> str:
    """Rows with a rival."""
    beside = [row for row in rows if row["rival"] not in ("", BUDGET)]
    lines = [
        [
            row["contest"], row["case"], row["rival"], duration(row["ours"]["median"]), percent(row["ours"]),
            duration(row["theirs"]["median"]), number(ratio(row)), number(ratio(row, "busy")), number(row["goal"]),
            mark(reached(row)),
        ]
        for row in beside
    ]  # fmt: skip
    lines += [
        [f"{mean['contest']}, geometric mean", f"{mean['count']} cases", mean["rival"], "", "", "",
         number(mean["mean"]), "", number(mean["goal"]), mark(mean["reached"])]
        for mean in means(rows)
    ]  # fmt: skip
    head = ["what", "case", "against", "hessorbit", "spread", "theirs", "ratio", "busy", "goal", ""]
    return "\n\n".join([about(beside, runs), table(head, lines), notes(beside)]).rstrip()


def notes(rows: Sequence[Record]) -> str:
    """What is noted of each contest."""
    noted: dict[str, dict[str, str]] = {}
    for row in rows:
        if row.get("note"):
            noted.setdefault(f"{row['contest']} against {row['rival']}", {})[row["case"]] = row["note"]
    return "\n".join(f"- {contest}: {shared(found)}" for contest, found in noted.items())


def shared(noted: dict[str, str]) -> str:
    """A note that all cases have, or each with its case."""
    different = set(noted.values())
    return different.pop() if len(different) == 1 else ", ".join(f"{note} ({case})" for case, note in noted.items())


def machines(records: Sequence[Record]) -> str:
    """Geometric means of ratios on every machine of the history, from its newest rows."""
    lines = []
    for name in dict.fromkeys(name_of(record["machine"]) for record in reversed(records)):
        rows, runs = newest([record for record in records if name_of(record["machine"]) == name])
        found = [geometric_mean(rows, *contest) for contest in SUMMARY]
        lines.append([name, runs[-1]["date"][:10], *(number(mean[0]) if mean else "" for mean in found)])
    return table(["machine", "newest run", *SUMMARY.values()], lines)


def costs(rows: Sequence[Record], runs: Sequence[Record]) -> str:
    """Rows without a rival, or beside a budget."""
    alone = [row for row in rows if row["rival"] in ("", BUDGET)]
    lines = [
        [
            row["contest"], row["case"], duration(row["ours"]["median"]), percent(row["ours"]),
            duration(row["ours"]["busy"]) if "busy" in row["ours"] else "",
            duration(row["theirs"]["median"]) if "theirs" in row else "", mark(reached(row)), row.get("note", ""),
        ]
        for row in alone
    ]  # fmt: skip
    head = ["call", "of", "takes", "spread", "beside a busy process", "budget", "", "grows with"]
    return f"{about(alone, runs)}\n\n{table(head, lines)}"


def cost_model(result: Record) -> str:
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


def picture(rows: Sequence[Record], runs: Sequence[Record]) -> str:
    """The lines of the README about the picture."""
    found = {mean["rival"]: mean["mean"] for mean in means(rows)}
    words = " and ".join(f"{found[rival]:.0f} times as fast as {rival}" for rival in ("jax", "torch") if rival in found)
    image = f"![Times of exact Hessians, side by side]({PUBLISHED}/{FIGURE.as_posix()})"
    run = [run for run in runs if ("Hessian", "jax") in kinds(run["rows"])][-1]
    where = f"{name_of(run['machine'])}, {run['date'][:10]}"
    text = f"Over these networks hessorbit is {words} (geometric means; {where})."
    return f"{image}\n\n{textwrap.fill(text, 120)}"


def draw(rows: Sequence[Record], path: Path) -> None:
    """Times of exact Hessians as bars, one group for each network, on a logarithmic scale."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    hessians = [row for row in rows if row["contest"] == "Hessian" and row["rival"] in ("jax", "torch")]
    cases = list(dict.fromkeys(row["case"] for row in hessians))
    names = ["hessorbit", *dict.fromkeys(row["rival"] for row in hessians)]
    times = {name: dict.fromkeys(cases, float("nan")) for name in names}
    for row in hessians:
        times[row["rival"]][row["case"]] = row["theirs"]["median"]
        if row["rival"] == "jax":
            times["hessorbit"][row["case"]] = row["ours"]["median"]
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


def filled(page: Path, name: str, text: str) -> str:
    """The page with `text` between the markers of `name`."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, opening, rest = page.read_text("utf-8").partition(start)
    _, closing, after = rest.partition(end)
    if not opening or not closing:
        raise SystemExit(f"{page} has no place marked {start} … {end}")
    return f"{before}{start}\n\n{text}\n\n{end}{after}"


def parts(machine: str | None = None) -> list[tuple[Path, str, str]]:
    """What stands where: page, name and text."""
    records = read()
    rows, runs = newest(records, machine)
    performance, readme = ROOT / "docs" / "performance.md", ROOT / "README.md"
    return [
        (performance, "comparison", comparison(rows, runs)),
        (performance, "machines", machines(records)),
        (performance, "costs", costs(rows, runs)),
        (performance, "cost model", cost_model(json.loads(COST_MODEL.read_text("utf-8")))),
        (readme, "speed", picture(rows, runs)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machine", help="part of its name, as “AMD EPYC” or “level v3”")
    machine = parser.parse_args().machine
    for page, name, text in parts(machine):
        page.write_text(filled(page, name, text), "utf-8")
        print(f"{page.relative_to(ROOT)}: {name}")
    draw(newest(read(), machine)[0], ROOT / FIGURE)


if __name__ == "__main__":
    main()
