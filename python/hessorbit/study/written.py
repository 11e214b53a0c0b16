"""Returns tables and figures of a study as the bytes of files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ..plot.drawing import written
from ..plot.style import SIZE
from .cells import StudyCells
from .plots import claims_shown, figures, plot_variants

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from .claims import Claim
    from .plots import FigureKind

TABLES = (".csv", ".parquet")


def table_file(table: DataFrame, suffix: str) -> bytes:
    """Returns a table in the format of an ending."""
    if suffix == ".csv":
        return table.to_csv(index=False).encode()
    if suffix not in (".parquet", ".pq"):
        raise ValueError(f"a table must be in a file that ends in {' or '.join(TABLES)}; got {suffix or 'no ending'}")
    file = io.BytesIO()
    try:
        table.to_parquet(file, index=False)
    except ImportError:
        raise RuntimeError(
            'a Parquet file needs a package that is not installed: pip install "hessorbit[parquet]"'
        ) from None
    return file.getvalue()


def figure_files(result: StudyCells, kind: str) -> dict[str, bytes]:
    """Returns the figures of a study by names of files: those of the report, or one for each claim over variants."""
    if not result.done:
        raise ValueError("there is nothing to draw: no cell of the study is done")
    if result.settings.factors:
        return {f"{claim.id}.{kind}": over_variants(result, claim, kind) for claim in claims_shown(result)}
    return {f"{each.name}.{kind}": of_kind(result, each, kind) for each in figures(result)}


def of_kind(result: StudyCells, which: FigureKind, kind: str) -> bytes:
    def draw(figure: Figure) -> None:
        figure.set_size_inches(SIZE)
        which.draw(result, figure.subplots())

    return written(draw, kind)


def over_variants(result: StudyCells, claim: Claim, kind: str) -> bytes:
    return written(lambda figure: plot_variants(result, figure, (claim,)), kind)
