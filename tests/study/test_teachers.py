"""Reach over many teachers: radii fixed in advance, and trends judged as SciPy would."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import hessorbit as ho
from hessorbit.minima import reach_by_width
from hessorbit.study import ReachOverTeachers, reach_over_teachers
from hessorbit.study.reach_figure import figure_of_teachers
from hessorbit.study.statistics import estimate, holm
from hessorbit.study.task import stream, teacher_task

SETTINGS = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4, 8], activation="tanh")


@pytest.fixture(scope="module")
def found() -> ReachOverTeachers:
    return reach_over_teachers(SETTINGS, teachers=8, samples=40, seed=3)


def test_each_teacher_is_that_of_the_study_with_a_radius_of_its_own(found: ReachOverTeachers) -> None:
    task = teacher_task(SETTINGS, 5)
    other = reach_by_width(task.teacher, task.theta, [2], rng=stream(SETTINGS, 5, 9), samples=40)
    radius = 0.9 * np.median(other.starts[0].distance)
    again = reach_by_width(task.teacher, task.theta, [2, 4, 8], rng=stream(SETTINGS, 5, 3), samples=40, radius=radius)
    mine = found.reaches[found.teachers.index(5)]
    assert mine.rows == again.rows
    assert not np.array_equal(other.starts[0].distance, mine.starts[0].distance)


def test_trends_are_slopes_over_teachers(found: ReachOverTeachers) -> None:
    """Least squares by NumPy, p by SciPy, Holm's adjustment for four claims."""
    findings = {finding.claim.id: finding for finding in found.findings()}
    x, p = np.log2([2, 4, 8]), {}
    for name, measure in (("distance", "distance"), ("relative", "relative"), ("per_parameter", "per_parameter")):
        medians = np.array([[np.median(getattr(each, measure)) for each in reach.starts] for reach in found.reaches])
        slopes = np.polyfit(x, np.log2(medians).T, 1)[0]
        assert findings[name].factor.value == pytest.approx(2 ** estimate(slopes).value)
        p[name] = stats.wilcoxon(slopes, method="exact").pvalue
    inside = np.array([[(each.distance <= reach.radius).sum() for each in reach.starts] for reach in found.reaches])
    slopes = np.polyfit(x, np.log2((40 - inside + 0.5) / (inside + 0.5)).T, 1)[0]
    assert findings["reach"].factor.value == pytest.approx(2 ** estimate(slopes).value)
    p["reach"] = stats.wilcoxon(slopes, method="exact").pvalue
    for name, adjusted in zip(p, holm(np.array(list(p.values()))), strict=True):
        # Distances are ranges, which may only raise a p-value.
        assert findings[name].adjusted >= adjusted * (1 - 1e-9)
    assert findings["relative"].verdict == "supported"


def test_a_radius_may_be_given_and_rows_are_kept_on_the_way() -> None:
    kept: list[int] = []
    found = reach_over_teachers(
        SETTINGS, [2, 4], teachers=2, samples=10, radius=3.0, keep=lambda each: kept.append(len(each.teachers))
    )
    assert kept == [1, 2]
    assert [reach.radius for reach in found.reaches] == [3.0, 3.0]
    assert found.share is None
    few = "2 of 2 seeds can be used, too few to decide one of 4 claims; 8 may do"
    assert found.findings()[0].conclusion == f"undecided: {few}"


def test_lines_are_teachers(found: ReachOverTeachers) -> None:
    panels = figure_of_teachers(found).axes
    assert [len(ax.lines) for ax in panels] == [9, 9, 9, 9]
    assert panels[0].lines[0].get_ydata()[0] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"teachers": 0}, "teachers must be"),
        ({"teachers": 1, "share": 0.0}, "share"),
        ({"teachers": 1, "seed": -1}, "seed"),
    ],
)
def test_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reach_over_teachers(SETTINGS, **options)  # type: ignore[arg-type]
