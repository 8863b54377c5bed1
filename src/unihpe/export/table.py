"""Results as tables: a row for each person of each picture or frame, joints side by side.

The same columns in CSV and Parquet. A wide table is what spreadsheets show well; the long one, with
a row for each joint, is `Results.to_pandas`.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from unihpe.export.results import Results
from unihpe.io.extra import extra
from unihpe.io.files import replacing, write_text

Table = Mapping[str, Any]  # columns of N values, by name
DECIMALS = {"time": 6}  # microseconds
OTHERS = 3  # micrometres and the like


def write_csv(path: Path, results: Results) -> None:
    """Write places of joints as CSV: UTF-8, commas, points; what is missing is empty."""
    write_csv_table(path, _table_of(results))


def write_parquet(path: Path, results: Results) -> None:
    """Write places of joints as Parquet; what is missing is null."""
    write_parquet_table(path, _table_of(results))


def _table_of(results: Results) -> Table:
    """Who and when, and three columns for each joint: `left_knee_x_mm`, …, from the origin."""
    places = results.absolute
    columns = dict(who_and_when(results))
    for n, joint in enumerate(results.skeleton.joints):
        columns |= {f"{joint}_{axis}_mm": places[:, n, k] for k, axis in enumerate("xyz")}
    return columns


def who_and_when(results: Results) -> Table:
    """The first columns of every table; times and frames are those of clips."""
    columns: dict[str, Any] = {"image": list(results.image), "person": list(results.person)}
    for name in ("frame", "time", "filled"):
        if (values := getattr(results, name)) is not None:
            columns[name] = values
    return columns


def write_csv_table(path: Path, table: Table) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    columns = [_as_text(values, name) for name, values in table.items()]
    writer.writerows(zip(*columns, strict=True))
    write_text(path, text.getvalue())


def write_parquet_table(path: Path, table: Table) -> None:
    arrow = extra("pyarrow", "export", "Parquet needs pyarrow")
    parquet = extra("pyarrow.parquet", "export", "Parquet needs pyarrow")
    columns = {
        name: arrow.array(_as_array(values), from_pandas=True) for name, values in table.items()
    }
    with replacing(path) as temporary:
        parquet.write_table(arrow.table(columns), temporary)


def _as_array(values: Any) -> Any:
    return values.numpy() if isinstance(values, Tensor) else values


def _as_text(values: Any, name: str) -> list[str]:
    if not isinstance(values, Tensor):
        return [str(value) for value in values]
    if not values.is_floating_point():
        return [str(int(value)) for value in values.tolist()]
    rounded = np.round(values.double().numpy(), DECIMALS.get(name, OTHERS)) + 0.0  # no −0
    return ["" if np.isnan(value) else repr(float(value)) for value in rounded]
