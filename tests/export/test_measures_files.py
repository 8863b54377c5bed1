"""Angles and measures as files, and the page that defines them."""

import re
from dataclasses import replace
from pathlib import Path

import fastparquet
import numpy as np
import pandas
import pytest
from clip import SKELETON, clip
from PIL import Image

from unihpe.errors import InputError
from unihpe.export import FORMATS, chosen, save, write

ROOT = Path(__file__).parents[2]


def test_csv_and_parquet_hold_the_measures(tmp_path):
    results = clip(people=2, frames=30, missing={(2, 5)})
    csv = pandas.read_csv(save(results, tmp_path / "a.angles.csv")[0])
    with save(results, tmp_path / "a.angles.parquet")[0].open("rb") as file:
        parquet = fastparquet.ParquetFile(file).to_pandas()
    for table in (csv, parquet):
        assert [*table.columns][:5] == ["image", "person", "frame", "time", "filled"]
        for name, angle in results.angles().items():
            np.testing.assert_allclose(table[f"{name}_deg"], angle, atol=1e-2)
        speeds = results.speeds()
        for n, joint in enumerate(SKELETON.joints):
            np.testing.assert_allclose(table[f"{joint}_speed_m_per_s"], speeds[:, n], atol=1e-3)
        height = table["centre_of_mass_y_mm"]
        assert height.between(850, 1000).all()
        np.testing.assert_allclose(table["centre_of_mass_speed_m_per_s"], 1, atol=0.05)


def test_pictures_have_angles_and_no_speeds(tmp_path):
    plain = clip(people=1, frames=2)
    pictures = replace(plain, image=("a.jpg", "b.jpg"), frame=None, time=None, filled=None)
    table = pandas.read_csv(save(pictures, tmp_path / "a.angles.csv")[0])
    assert "left_knee_flexion_deg" in table and not [name for name in table if "speed" in name]
    with pytest.raises(InputError, match="angles-plot holds motion"):
        write(pictures, tmp_path / "b", ["angles-plot"])


def test_a_chart_for_each_person(tmp_path):
    results = clip(people=2, frames=30, missing={(2, n) for n in range(9, 15)})
    paths = write(results, tmp_path / "a", ["angles-plot"])
    assert [path.name for path in paths] == ["a_1.angles.png", "a_2.angles.png"]
    for path in paths:
        with Image.open(path) as picture:
            colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
        assert {(37, 99, 235), (209, 73, 91), (75, 85, 99)} <= colours


def test_every_angle_is_defined_in_the_documents():
    page = (ROOT / "docs" / "measures.md").read_text("utf-8")
    defined = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    measured = {name.removeprefix("left_").removeprefix("right_") for name in clip().angles()}
    assert defined == measured


def test_every_format_is_in_the_documents():
    page = (ROOT / "docs" / "formats.md").read_text("utf-8")
    section = page.split("## Motion files and tables")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \| (`[^|]*) \|", section, re.MULTILINE)
    named = {name for cell, _ in cells for name in re.findall(r"`([\w-]+)`", cell)}
    suffixes = {suffix for _, cell in cells for suffix in re.findall(r"`(\.[\w.]+)`", cell)}
    assert named == set(FORMATS) and suffixes == {form.suffix for form in FORMATS.values()}


def test_all_writes_every_format(tmp_path):
    paths = write(clip(people=1, frames=5), tmp_path / "a", ["all"])
    for form in FORMATS.values():
        assert any(path.name.endswith(form.suffix) for path in paths)
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_all_of_pictures_are_those_that_hold_poses():
    able = chosen(["all"], clip=False)
    assert "json" in able and "glb" in able and "trc" not in able and "angles-plot" not in able
