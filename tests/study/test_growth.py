"""Growth while training: the function at the split, moments, reproducible steps, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from hessorbit.study.growth import SPLITS, Training, grown, outcome, stages
from hessorbit.study.measurements import measure
from hessorbit.study.student import train
from hessorbit.study.task import make_task, stream

GROWTH: dict[str, Any] = {
    "inputs": 2, "teacher_width": 2, "widths": [2, 4, 8], "seeds": 1, "max_steps": 300, "loss_tolerance": 1e-3,
    "grow_from": 2, "grow_at": "20,40", "polish": "none", "rate_steps": 0,
}  # fmt: skip


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("samples", ["infinite", 30])
def test_the_function_stays_at_the_split(split: str, samples: str | int) -> None:
    settings = ho.WidthStudy(**GROWTH, samples=samples)
    task = make_task(settings, 0)
    training = Training.of(settings, task, 0)
    training.run.advance(20, 0.0, 0.0)
    wide = training.widened(5, split, stream(settings, 0, 9))
    x = np.random.default_rng(0).standard_normal((40, 2))
    before, after = training.net(training.run.theta, x), wide.net(wide.run.theta, x)
    assert wide.net.widths == (2, 5, 1)
    if split == "noisy":
        assert 1e-5 < np.abs(after - before).max() < 1
    else:
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-12 * max(1, np.abs(before).max()))
        assert wide.run.loss == pytest.approx(training.run.loss, rel=1e-10)
    assert wide.run.steps == 20


def test_moments_are_those_that_a_wide_network_would_have_had() -> None:
    """An equal split of momentum's buffer: the buffer of a network that had been wide, and equal, all the way."""
    settings = ho.WidthStudy(**{**GROWTH, "optimizer": "momentum"})
    task = make_task(settings, 0)
    training = Training.of(settings, task, 0)
    gradients = []
    for _ in range(5):
        gradients.append((training.run.theta, training.run.gradient))
        training.run.advance(1, 0.0, 0.0)
    wide = training.widened(4, "equal", stream(settings, 0, 9))
    widening = ho.Widening(training.net, [[2, 2]])
    objective = task.objective(widening.net)
    buffer = np.zeros(widening.net.num_parameters)
    for theta, _ in gradients:
        buffer = 0.9 * buffer + objective.gradient(widening(theta))
    np.testing.assert_allclose(wide.run.velocity, buffer, rtol=1e-9, atol=1e-12)


def test_the_narrow_network_alone_is_the_narrow_student() -> None:
    settings = ho.WidthStudy(**GROWTH)
    task = make_task(settings, 0)
    alone = outcome(settings, task, 0, 2, None)
    student = train(settings, 2, 0)
    assert (alone.steps, alone.reached) == (student.training.steps, student.training.reached)


@pytest.mark.parametrize("optimizer", ["gd", "adam"])
def test_growth_at_the_last_step_is_no_growth(optimizer: str) -> None:
    """A split that comes when the run is over changes nothing."""
    settings = ho.WidthStudy(
        **{**GROWTH, "optimizer": optimizer, "grow_at": "99,100", "max_steps": 100, "loss_tolerance": 0.05}
    )
    found = grown(settings, make_task(settings, 0), 8, 0)
    narrow = found["narrow"]()
    assert {each().steps for each in found.values()} == {narrow.steps if narrow.reached else 100}


def test_growth_is_reproducible_and_counts_all_steps() -> None:
    settings = ho.WidthStudy(**GROWTH)
    task = make_task(settings, 0)
    first, second = ({name: way() for name, way in grown(settings, task, 8, 0).items()} for _ in range(2))
    assert first == second
    assert set(first) == {"narrow", *SPLITS}
    assert all(each.reached == (each.steps < 300) or each.steps == 300 for each in first.values())


def test_a_split_that_diverges_leaves_the_others() -> None:
    """Noise of 1e200 times the parameters; the other splits are as they were without it."""
    wild = train(ho.WidthStudy(**GROWTH, samples=30, split_noise=1e200), 4, 0)
    values, reasons = measure(wild)
    calm, _ = measure(train(ho.WidthStudy(**GROWTH, samples=30), 4, 0))
    assert [name for name in reasons if "grown" in name] == ["steps_grown_noisy", "reached_grown_noisy"]
    assert reasons["steps_grown_noisy"].startswith("ArithmeticError: training diverged at step 2")
    assert np.isnan(values["steps_grown_noisy"])
    columns = [f"steps_grown_{split}" for split in ("best", "equal", "random")]
    assert [values[name] for name in columns] == [calm[name] for name in columns]


def test_widths_between() -> None:
    assert stages(ho.WidthStudy(**GROWTH), 8) == [4, 8]
    assert stages(ho.WidthStudy(**{**GROWTH, "grow_at": "1, 2,3"}), 3) == [2, 3, 3]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"grow_at": "40,20"}, ValueError, "grow_at must increase"),
        ({"grow_at": 2.5}, TypeError, "grow_at must be a string"),
        ({"grow_at": ""}, ValueError, "go together"),
        ({"grow_at": "20,301"}, ValueError, "grow_at must be at most max_steps = 300; got '20,301'"),
        ({"grow_from": 0}, ValueError, "go together"),
        ({"grow_at": "1.5"}, ValueError, "whole numbers of steps between commas"),
        ({"grow_from": -1}, ValueError, "grow_from"),
        ({"split_noise": -1.0}, ValueError, "split_noise"),
    ],
)
def test_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ho.WidthStudy(**{**GROWTH, **change})


def test_growth_in_a_study(tmp_path: Any) -> None:
    """Columns, claims and the store."""
    from concurrent.futures import ThreadPoolExecutor

    settings = ho.WidthStudy(**{**GROWTH, "max_steps": 60, "widths": [2, 4]})
    with ThreadPoolExecutor(2) as executor:
        result = settings.run(tmp_path / "s.sqlite", executor=executor, progress=False)
    assert ho.study.load(tmp_path / "s.sqlite").table.equals(result.table)
    table = result.table.set_index(["width", "seed"])
    assert table.loc[2, "steps_grown_best"].isna().all()
    assert table.loc[4, [f"steps_grown_{split}" for split in SPLITS]].notna().all(axis=None)
    assert str(table["steps_grown_best"].dtype) == "Int64"
    claims = [finding.claim for finding in result.claims()]
    assert not any(claim.at_minima for claim in claims)
    assert len([claim for claim in claims if claim.id.startswith("grown_")]) == 11
    page = tmp_path / "page.html"
    result.report(page)
    assert '<figure id="growth">' in page.read_text("utf-8")
