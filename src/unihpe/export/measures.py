"""Angles, speeds and the centre of mass of people, as tables (definitions: docs/measures.md)."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unihpe.body.angles import angles
from unihpe.body.measures import centre_of_mass, speeds
from unihpe.export.results import Results
from unihpe.export.table import Table, who_and_when, write_csv_table, write_parquet_table


def write_angles_csv(path: Path, results: Results) -> None:
    """Write a row for each person of each picture or frame as CSV."""
    write_csv_table(path, _measures_of(results))


def write_angles_parquet(path: Path, results: Results) -> None:
    """Write a row for each person of each picture or frame as Parquet."""
    write_parquet_table(path, _measures_of(results))


def _measures_of(results: Results) -> Table:
    """Who and when, angles, the centre of mass, and in clips speeds; units end the names."""
    level = results.to_yup()
    columns: dict[str, Any] = dict(who_and_when(results))
    for name, angle in angles(level.pose, level.skeleton).items():
        columns[f"{name}_deg"] = angle
    centre = centre_of_mass(level.absolute, level.skeleton)
    columns |= {f"centre_of_mass_{axis}_mm": centre[:, k] for k, axis in enumerate("xyz")}
    if results.is_clip:
        columns["centre_of_mass_speed_m_per_s"] = row_speeds(level, centre[:, None])[:, 0]
        fast = row_speeds(level, level.absolute)
        for n, joint in enumerate(level.skeleton.joints):
            columns[f"{joint}_speed_m_per_s"] = fast[:, n]
    return columns


def row_speeds(results: Results, places: Tensor) -> Tensor:
    """Of places (N, K, 3), mm, of the rows of a clip, each person's by themselves: m/s, (N, K)."""
    assert results.time is not None
    found = places.new_full(places.shape[:2], torch.nan, dtype=torch.float64)
    rows = dict[tuple[str, str], list[int]]()
    for n, who in enumerate(zip(results.image, results.person, strict=True)):
        rows.setdefault(who, []).append(n)
    for own in rows.values():
        found[own] = speeds(places[own], results.time[own])
    return found
