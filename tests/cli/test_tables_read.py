"""Tables as people write them: spaces beside commas, and encodings."""

from __future__ import annotations

from pathlib import Path

import pytest

from hessorbit._data_files import table


def test_spaces_beside_commas_are_no_part_of_names_and_values(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a, b ,kind\n1, 2, red\n3 ,4,  blue\n", "utf-8")
    found = table(path, "--data")
    assert list(found.columns) == ["a", "b", "kind"]
    assert found["a"].tolist() == [1, 3]
    assert found["b"].tolist() == [2, 4]
    assert found["kind"].tolist() == ["red", "blue"]


def test_names_that_differ_by_spaces_alone_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a,a \n1,2\n", "utf-8")
    assert list(table(path, "--data").columns) == ["a", "a "]


def test_other_encodings_are_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes("größe,y\n1,2\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"must be text in UTF-8; got the byte 0xf6.*: save it as"):
        table(path, "--data")
    path.write_bytes(path.read_bytes().decode("latin-1").encode("utf-8"))
    assert list(table(path, "--data").columns) == ["größe", "y"]
