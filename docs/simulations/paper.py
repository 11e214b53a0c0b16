"""Computes the tables of docs/paper.md and docs/rates.md, and writes them into the pages.

    python docs/simulations/paper.py FOLDER [TABLE …]

FOLDER keeps the stores of the studies, so that a run that was stopped goes on. By default all tables are computed, in
about half an hour on two cores; TABLES lists them. A table stands in a page between <!-- table: NAME --> and
<!-- end -->. Teachers, samples and initial parameters are those of the default study: three erf neurons with three
inputs and outgoing weights ±3, infinitely many normal inputs, and seeds 0 to 9.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

import hessorbit as ho
from hessorbit.study import Finding, StudyResult, WidthStudy, reach_over_teachers
from hessorbit.study.report import chance, factor, number, spread
from hessorbit.study.task import PopulationTask, make_task

PAGES = [Path(__file__).parents[1] / name for name in ("paper.md", "rates.md")]
SEEDS = range(10)
WIDTHS = (3, 6, 12, 24, 48)
STARTS = 40  # for each width of each teacher
SCHEMES = ("torch", "he_normal", "glorot_normal")


def markdown(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Returns a table in Markdown."""
    lines = [list(headings)]
    lines += [["---"] * len(lines[0]), *([str(entry) for entry in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def digits(value: float) -> str:
    """Writes three significant digits."""
    return number(float(f"{value:.3g}"))


def tasks(seeds: Iterable[int] = SEEDS, **settings: object) -> list[PopulationTask]:
    """Returns the tasks of the default study with changes."""
    return [make_task(WidthStudy(**settings), seed) for seed in seeds]


def nonzero(hessian: np.ndarray, rank: int) -> np.ndarray:
    """Returns the largest eigenvalues in size, in ascending order."""
    values = np.linalg.eigvalsh(hessian)
    return np.sort(values[np.argsort(-np.abs(values))[:rank]])


def deviation(obj: object, theta: np.ndarray, widening: ho.Widening, wide: object, matrix: str) -> float:
    """Returns by how much the nonzero spectrum of the wide matrix misses that of D^½ H D^½, over the largest."""
    root = np.sqrt(widening.preconditioner())
    expected = np.linalg.eigvalsh(getattr(obj, matrix)(theta) * np.outer(root, root))
    found = nonzero(getattr(wide, matrix)(widening(theta)), len(expected))
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def splits(teacher: ho.MLP, width: int, rng: np.random.Generator) -> dict[str, ho.Widening]:
    """Returns an equal and a random split of a teacher's neurons."""
    neurons = teacher.widths[1]
    equal = [width // neurons + (i < width % neurons) for i in range(neurons)]
    random = (1 + rng.multinomial(width - neurons, np.full(neurons, 1 / neurons))).tolist()
    shares = [rng.dirichlet(np.ones(number)) for number in random]
    return {"equal": ho.Widening(teacher, [equal]), "random": ho.Widening(teacher, [random], coefficients=[shares])}


def spectra(_: Path, widths: Iterable[int] = WIDTHS[1:]) -> str:
    """Zero modes and spectra of widenings, at the teacher's minimum and at one with a residual."""
    rows = []
    narrow = WidthStudy(widths=[2])
    for width in widths:
        found: dict[str, list[float]] = {"teacher": [], "modes": [], "hessian": [], "gauss_newton": []}
        for seed, task in zip(SEEDS, tasks(), strict=True):
            obj = task.objective(task.teacher)
            rng = np.random.default_rng(width)
            for widening in splits(task.teacher, width, rng).values():
                wide = task.objective(widening.net)
                found["teacher"].append(deviation(obj, task.theta, widening, wide, "hessian"))
                found["modes"].append(len(ho.spectrum(wide, widening(task.theta)).zero_modes))
            # Two neurons cannot be the teacher's three: a critical point with a residual.
            small = task.objective(narrow.network(2))
            end = ho.minimize(small, small.net.init(np.random.default_rng(seed)), method="newton", tol=1e-12)
            widening = splits(small.net, width, rng)["equal"]
            wide = task.objective(widening.net)
            for matrix in ("hessian", "gauss_newton"):
                found[matrix].append(deviation(small, end.x, widening, wide, matrix))
        parameters = widening.net.num_parameters
        rows.append(
            [width, parameters, digits(np.median(found["modes"])), f"{max(found['teacher']):.0e}",
             digits(np.median(found["hessian"])), f"{max(found['gauss_newton']):.0e}"]
        )  # fmt: skip
    headings = ["width", "P", "zero modes", "at the teacher: H", "with a residual: H (median)", "with a residual: G"]
    return markdown(headings, rows)


def best_of(task: PopulationTask, width: int) -> dict[str, float]:
    """Returns κ of the teacher split equally, at random and at best, and the certified bound on the last."""
    obj = task.objective(task.teacher)
    rank = len(task.theta) - len(ho.spectrum(obj, task.theta).zero_modes)
    found = {}
    for name, widening in splits(task.teacher, width, np.random.default_rng(width)).items():
        values = nonzero(task.objective(widening.net).hessian(widening(task.theta)), rank)
        found[name] = values.max() / values.min()
    best = ho.best_conditioned(obj, task.theta, widths=[width])
    return {**found, "best": best.value, "bound": best.lower_bound, "start": best.start}


def best(_: Path, activations: Iterable[str] = ("erf", "relu", "gelu"), widths: Iterable[int] = WIDTHS) -> str:
    """The least condition number of the teacher's class, by width and activation: medians over teachers."""
    rows = []
    for activation in activations:
        each = tasks(activation=activation)
        before = None
        for width in widths:
            found = [best_of(task, width) for task in each]
            values = {name: np.array([one[name] for one in found]) for name in found[0]}
            better = "" if before is None else f"{int((values['best'] < before * (1 - 1e-3)).sum())} of {len(each)}"
            before = values["best"]
            gap = float(np.max(1 - values["bound"] / values["best"]))
            medians = [digits(np.median(values[name])) for name in ("equal", "random", "best")]
            rows.append([activation, width, *medians, f"{gap:.0e}", better])
    return markdown(
        ["activation", "width", "κ, equal split", "κ, random split", "least κ", "largest gap", "better than narrower"],
        rows,
    )


def reach(_: Path) -> str:
    """What ten teachers say of how near global minima are, by initialisation."""
    rows = []
    for init in SCHEMES:
        found = reach_over_teachers(WidthStudy(init=init), teachers=len(SEEDS), samples=STARTS)
        for name in ("distance", "relative", "reach"):
            finding = next(each for each in found.findings() if each.claim.id == name)
            column = "probability" if name == "reach" else f"{name}_median"
            ends = found.table.groupby("width")[column].median().iloc[[0, -1]]
            rows.append([f"`{init}`", *claim(finding), " → ".join(map(digits, ends))])
    return markdown(["start", *CLAIM, "median at width 3 → 48"], rows)


CLAIM = ("claim", "factor", "95 % interval", "n", "p adjusted", "verdict")


def claim(finding: Finding) -> list[str]:
    """Returns what is said of a claim."""
    found = finding.factor
    effect = [factor(found.value), spread(found), str(found.n), chance(finding.adjusted)]
    return [finding.claim.label, *effect, finding.conclusion]


def study(folder: Path, preset: str) -> StudyResult:
    """Returns the result of a preset, computed where it is not in the folder yet."""
    return WidthStudy.preset(preset).run(folder / f"{preset}.sqlite")


def claims(preset: str) -> Callable[[Path], str]:
    """Returns a function that makes the table of the claims of a preset."""
    return lambda folder: markdown(CLAIM, map(claim, study(folder, preset).claims()))


def tails(folder: Path) -> str:
    """Tails of students, measured and predicted, and representatives: medians over seeds."""
    names = {
        "tail_model": "model's loss over the loss", "tail_steps_predicted": "steps per decade, predicted",
        "tail_steps": "measured",
        **{f"steps_from_{name}": f"steps from {name}" for name in ("narrow", "equal", "best")},
        **{f"predicted_from_{name}": f"predicted from {name}" for name in ("narrow", "equal", "best")},
    }  # fmt: skip
    return medians(study(folder, "rates"), names)


def growths(folder: Path) -> str:
    """Steps to the tolerance by every way, medians over seeds."""
    names = {"steps": "wide from scratch", "steps_narrow": "narrow alone"}
    names |= {f"steps_grown_{split}": f"{split} split" for split in ("best", "equal", "random", "noisy")}
    return medians(study(folder, "growth"), names)


def medians(result: StudyResult, names: dict[str, str]) -> str:
    """Returns medians over seeds by width."""
    table = result.table.astype(float).groupby("width")[list(names)].median()
    rows = ([f"{width:.0f}", *(digits(x) if x == x else "–" for x in row)] for width, row in table.iterrows())
    return markdown(["width", *names.values()], rows)


TABLES: dict[str, Callable[[Path], str]] = {
    "spectra": spectra,
    "best": best,
    "reach": reach,
    "default": claims("default"),
    "growing-trace": claims("growing-trace"),
    "rates": claims("rates"),
    "tails": tails,
    "growth": claims("growth"),
    "growths": growths,
}


def place_of(name: str) -> re.Pattern[str]:
    """Returns what the place of a table in a page looks like."""
    return re.compile(rf"(?<=<!-- table: {name} -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)


def write(name: str, table: str) -> None:
    """Puts a table into its place in a page."""
    for page in PAGES:
        changed = place_of(name).sub(lambda _: f"\n{table}\n\n", page.read_text("utf-8"), count=1)
        page.write_text(changed, "utf-8")


def main(folder: str, *names: str) -> None:
    for name in names or TABLES:
        table = TABLES[name](Path(folder))
        print(f"{name}\n{table}\n", flush=True)
        write(name, table)


if __name__ == "__main__":
    main(*sys.argv[1:])
