"""Settings of a study: files, presets, fingerprints, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hessorbit as ho
from hessorbit.study.cells import claims_of
from hessorbit.study.settings import presets
from hessorbit.study.statistics import LEVEL


@pytest.mark.parametrize("name", presets())
def test_presets_are_studies(name: str) -> None:
    study = ho.WidthStudy.preset(name)
    assert len(study.widths) >= 3
    assert study.title


@pytest.mark.parametrize("name", presets())
def test_seeds_suffice_for_a_verdict_on_every_claim(name: str) -> None:
    """The least p of n seeds is 2/2ⁿ, and Holm multiplies it by the number of claims."""
    study = ho.WidthStudy.preset(name)
    assert len(claims_of(study)) * 2 / 2**study.seeds <= LEVEL


def test_the_default_preset_is_the_default() -> None:
    assert ho.WidthStudy.preset() == ho.WidthStudy()


@given(
    st.text(),
    st.lists(st.integers(1, 10**4), min_size=1, unique=True),
    st.floats(1e-300, 1e300),
    st.sampled_from(["tanh", "gelu", "relu"]),
    st.booleans(),
)
def test_toml_reads_back(title: str, widths: list[int], scale: float, activation: str, bias: bool) -> None:
    study = ho.WidthStudy(title=title, widths=widths, teacher_scale=scale, activation=activation, bias=bias)
    import tomllib

    assert ho.WidthStudy.from_mapping(tomllib.loads(study.to_toml()), "test") == study


def test_samples_suit_the_activation() -> None:
    """Infinitely many where there are closed forms, unless said otherwise; also for what a file leaves open."""
    assert ho.WidthStudy().samples == "infinite"
    assert ho.WidthStudy(activation="relu").samples == "infinite"
    assert ho.WidthStudy(activation="tanh").samples == 500
    assert ho.WidthStudy(activation="tanh", samples="infinite").samples == "infinite"
    assert ho.WidthStudy(samples=70).samples == 70
    assert ho.WidthStudy.preset("quick", activation="tanh").samples == 500


def test_toml_file(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    study = ho.WidthStudy(widths=[3, 6], activation="tanh", seeds=2)
    path.write_text(study.to_toml(), "utf-8")
    assert ho.WidthStudy.from_toml(path) == study


def test_labels_do_not_change_the_fingerprint() -> None:
    study = ho.WidthStudy()
    assert ho.WidthStudy(title="Other", widths=[7], seeds=1).fingerprint == study.fingerprint
    assert ho.WidthStudy(samples=501).fingerprint != study.fingerprint


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"widths": [5, 0]}, ValueError, "widths"),
        ({"widths": []}, ValueError, "widths"),
        ({"widths": [5, 5]}, ValueError, "widths"),
        ({"widths": [2.5]}, TypeError, "widths"),
        ({"seeds": 0}, ValueError, "seeds must be at least 1"),
        ({"samples": 1}, ValueError, "samples must be at least 2"),
        ({"samples": "many"}, ValueError, "samples must be a number or \"infinite\"; got 'many'"),
        ({"samples": 2.5}, TypeError, "samples"),
        ({"polish_steps": 0}, ValueError, "polish_steps must be at least 1"),
        ({"activation": "rely"}, ValueError, "activation.*'rely'"),
        ({"activation": 3}, TypeError, "activation must be a string; got 3"),
        ({"optimizer": "sgd"}, ValueError, "optimizer.*'sgd'"),
        ({"learning_rate": 0.0}, ValueError, "learning_rate"),
        ({"loss_tolerance": float("nan")}, ValueError, "loss_tolerance"),
        ({"threshold": 1.0}, ValueError, "threshold"),
        ({"init": "xavier"}, ValueError, "xavier"),
        ({"bias": "yes"}, TypeError, "bias must be True or False; got 'yes'"),
        ({"parametrization": "mup"}, ValueError, "parametrization"),
        ({"max_steps": True}, TypeError, "max_steps"),
    ],
)
def test_refused_settings(settings: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ho.WidthStudy(**settings)


def test_unknown_setting_suggests_a_close_one() -> None:
    with pytest.raises(ValueError, match="there is no setting 'width'; did you mean widths"):
        ho.WidthStudy.from_mapping({"width": [1]}, "study.toml")


def test_refused_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.toml"):
        ho.WidthStudy.from_toml(tmp_path / "missing.toml")
    path = tmp_path / "broken.toml"
    path.write_text("widths = [1,", "utf-8")
    with pytest.raises(ValueError, match=r"broken\.toml must be a TOML file"):
        ho.WidthStudy.from_toml(path)
    path.write_text("seeds = 0", "utf-8")
    with pytest.raises(ValueError, match=r"broken\.toml: seeds must be at least 1"):
        ho.WidthStudy.from_toml(path)


def test_unknown_preset() -> None:
    with pytest.raises(ValueError, match=r"preset must be one of .*default.*'huge'"):
        ho.WidthStudy.preset("huge")


def test_unknown_keyword_suggests_the_same(tmp_path: Path) -> None:
    for refused in (lambda: ho.WidthStudy(width=[1]), lambda: ho.WidthStudy.preset("quick", width=[1])):
        with pytest.raises(TypeError, match="there is no setting 'width'; did you mean widths"):
            refused()
    with pytest.raises(TypeError, match="there is no setting 'colour'; there are title, widths, seeds"):
        ho.WidthStudy(colour="red")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widths": [10**12]}, r"widths\[0\] must be at most 100000; got 1000000000000"),
        ({"widths": [5, 10**30]}, r"widths\[1\] must be at most"),
        ({"widths": [50_000]}, "widths must leave a network with at most 100000 parameters"),
        ({"teacher_width": 10**12}, "teacher_width must be at most"),
        ({"inputs": 10**12}, "inputs must be at most"),
        ({"outputs": 90_000, "samples": 10**6}, r"samples × \(inputs \+ outputs\) must be at most"),
        ({"samples": 10**12}, "samples must be at most"),
        ({"seeds": 10**12}, "seeds must be at most"),
        ({"max_steps": 10**12}, "max_steps must be at most"),
        ({"title": "\ud800"}, "title must be text that UTF-8 can hold"),
    ],
)
def test_sizes_that_no_machine_holds(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        ho.WidthStudy(**settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        (b"[teacher]\nwidth = 5\n", r"there is no setting 'teacher'; did you mean teacher_width"),
        (b"[seeds]\nnumber = 5\n", r"seeds must be a plain value; got a table"),
        (b"learning_rate.adam = 0.1\n", r"learning_rate must be a plain value; got a table"),
        (b"widths = " + b"[" * 10_000 + b"5" + b"]" * 10_000, "brackets nest too deeply"),
        (b"title = '\xff'", "must be a TOML file"),
    ],
)
def test_nested_and_broken_toml(toml: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(toml)
    with pytest.raises(ValueError, match=message) as caught:
        ho.WidthStudy.from_toml(path)
    assert str(path) in str(caught.value)
