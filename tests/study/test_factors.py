"""Lists of values: which variants they make, what one store keeps of them, and what each variant is judged by."""

from __future__ import annotations

import itertools
import re
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hessorbit as ho
from hessorbit.study import StudyResult, load
from hessorbit.study.statistics import LEVEL

SMALL = {"inputs": 2, "teacher_width": 2, "widths": [2, 4], "seeds": 2, "samples": 30, "max_steps": 60}
GRID = {**SMALL, "activation": ["erf", "tanh"], "optimizer": ["adam", "gd"]}


def run(study: ho.WidthStudy, store: Path | None = None) -> StudyResult:
    with ThreadPoolExecutor(2) as executor:
        return study.run(store, executor=executor)


@pytest.fixture(scope="module")
def grid() -> StudyResult:
    return run(ho.WidthStudy(**GRID))


def test_every_combination_is_a_variant() -> None:
    study = ho.WidthStudy(**GRID, init=["torch", "he_normal", "normal(0.5)"], l2=[0.0, 0.1])
    wanted = itertools.product(["erf", "tanh"], [0.0, 0.1], ["torch", "he_normal", "normal(0.5)"], ["adam", "gd"])
    found = [(v.activation, v.l2, v.init, v.optimizer) for v in study.variants.values()]
    assert found == list(wanted)
    assert all(not variant.factors for variant in study.variants.values())
    assert len(study.cells()) == len(set(study.cells())) == 24 * 4
    assert [cell.width for cell in study.cells()] == [4] * 48 + [2] * 48


def test_lists_are_shown() -> None:
    assert "activation=('erf', 'tanh'), bias=True" in repr(ho.WidthStudy(activation=["erf", "tanh"]))


def test_a_list_of_one_is_its_value() -> None:
    assert ho.WidthStudy(activation=["tanh"]) == ho.WidthStudy(activation="tanh")
    assert len(ho.WidthStudy().variants) == 1


def test_files_read_back(tmp_path: Path) -> None:
    study = ho.WidthStudy(**GRID, learning_rate=[1, 0.5])
    path = tmp_path / "grid.toml"
    path.write_text(study.to_toml(), "utf-8")
    assert ho.WidthStudy.from_toml(path) == study
    assert 'activation = ["erf", "tanh"]' in study.to_toml()
    assert ho.WidthStudy(**study.as_dict()) == study


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation": []}, "activation must have at least one value; got an empty list"),
        ({"activation": ["erf", "tanh", "erf"]}, "activation must have values that differ.*'erf' is there twice"),
        ({"learning_rate": [1, 1.0]}, "learning_rate must have values that differ"),
        ({"learning_rate": [0.1, -1.0]}, "learning_rate must be a positive finite number|learning_rate must be"),
        ({"activation": [["erf"]]}, "activation must be a value or a flat list of values"),
        ({"optimizer": ["gd", "sgd"]}, "optimizer.*'sgd'"),
        (
            {"samples": [30, "infinite"], "label_noise": [0.0, 0.1]},
            "label_noise=0.1, samples=infinite|samples=infinite",
        ),
        ({"learning_rate": list(np.arange(1.0, 202)), "l2": list(np.arange(1.0, 102))}, "at most 10000 combinations"),
        ({"title": ["a", "b"]}, "title must be a string"),
    ],
)
def test_refused_lists(settings: dict[str, object], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        ho.WidthStudy(**{**SMALL, **settings})


def test_samples_are_the_same_for_all_variants() -> None:
    """So that variants can be compared: infinitely many only where all have closed forms."""
    assert ho.WidthStudy(activation=["erf", "relu"]).samples == "infinite"
    assert {v.samples for v in ho.WidthStudy(activation=["erf", "tanh"]).variants.values()} == {500}


def test_a_variant_is_the_study_of_its_values(grid: StudyResult) -> None:
    plain = run(ho.WidthStudy(**{**SMALL, "activation": "tanh", "optimizer": "gd"}))
    part = grid.parts["activation=tanh, optimizer=gd"]
    assert list(grid.parts) == ["activation=erf, optimizer=adam", "activation=erf, optimizer=gd",
                                "activation=tanh, optimizer=adam", "activation=tanh, optimizer=gd"]  # fmt: skip
    pd.testing.assert_frame_equal(part.table.drop(columns="seconds"), plain.table.drop(columns="seconds"))
    chosen = grid.table[(grid.table["activation"] == "tanh") & (grid.table["optimizer"] == "gd")]
    assert chosen["steps"].tolist() == plain.table["steps"].tolist()
    assert [str(finding) for finding in part.claims()] == [str(finding) for finding in plain.claims()]
    variants = [finding.variant for finding in grid.claims()]
    assert list(dict.fromkeys(variants)) == list(grid.parts)
    assert len(variants) == 4 * len(plain.claims())
    assert grid.theorem().pairs == 4 * plain.theorem().pairs == 8


def test_one_store_grows_by_values_and_factors(tmp_path: Path) -> None:
    store = tmp_path / "study.sqlite"
    run(ho.WidthStudy(**SMALL), store)
    finished = {record.cell: record.measurements["seconds"] for record in load(store).records}
    more = run(ho.WidthStudy(**{**SMALL, "optimizer": ["adam", "gd"], "seeds": 1}), store)
    assert (len(more.records), more.missing) == (4, 0)
    every = load(store)
    assert every.settings.factors == (("optimizer", ("adam", "gd")),)
    # The study now is that of both: of gd one seed was not asked for.
    assert (len(every.records), every.missing) == (6, 2)
    kept = {record.cell: record.measurements["seconds"] for record in every.records if record.cell in finished}
    assert kept == finished
    # A study of plain values finds its cells in the store of a grid.
    plain = ho.WidthStudy(**{**SMALL, "optimizer": "gd", "seeds": 1})
    assert [record.cell for record in run(plain, store).records] == sorted(plain.cells())
    with pytest.raises(ValueError, match=r"other settings: samples is 30 there and 31 here\. .* or a list of both"):
        run(ho.WidthStudy(**{**SMALL, "samples": 31}), store)


def test_claims_about_the_teacher_need_one() -> None:
    study = ho.WidthStudy(**SMALL, l2=[0.0, 0.01])
    result = StudyResult(study, [])
    claimed = {words: [finding.claim.id for finding in part.claims()] for words, part in result.parts.items()}
    assert {"nearest", "condition_copies"} <= set(claimed["l2=0"])
    assert not {"nearest", "condition_copies"} & set(claimed["l2=0.01"])
    assert "trace" in claimed["l2=0.01"]


def test_files_in_the_documentation_are_studies() -> None:
    text = (Path(__file__).parents[2] / "docs" / "study_variants.md").read_text("utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    studies = [ho.WidthStudy.from_mapping(tomllib.loads(block), "docs") for block in blocks]
    assert [len(study.variants) for study in studies] == [6]
    # The smallest p of 13 seeds is 2/2¹³, which Holm multiplies by at most 144.
    assert 144 * 2 / 2**13 <= LEVEL < 144 * 2 / 2**12
