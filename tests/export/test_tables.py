"""Tables, read again by pandas and fastparquet."""

from dataclasses import replace

import fastparquet
import numpy as np
import pandas
from clip import SKELETON, clip

from unihpe.export import save

COLUMNS = [f"{joint}_{axis}_mm" for joint in SKELETON.joints for axis in "xyz"]


def test_csv_and_parquet_hold_a_row_for_each_person_of_each_frame(tmp_path):
    results = clip(missing={(2, 5)}, name='a "walk", ünder.mp4')
    places = results.to_floor().absolute.flatten(1).numpy()
    csv = pandas.read_csv(save(results, tmp_path / "a.csv")[0])
    with save(results, tmp_path / "a.parquet")[0].open("rb") as file:
        parquet = fastparquet.ParquetFile(file).to_pandas()
    for table in (csv, parquet):
        assert [*table.columns] == ["image", "person", "frame", "time", "filled", *COLUMNS]
        np.testing.assert_allclose(table[COLUMNS], places, atol=0.1)
        np.testing.assert_array_equal(table["frame"], results.frame)
        np.testing.assert_allclose(table["time"], results.time, atol=1e-6)
        np.testing.assert_array_equal(table["filled"].astype(bool), results.filled)
        assert set(table["image"]) == {'a "walk", ünder.mp4'}
        assert table["person"].astype(str).tolist() == list(results.person)


def test_what_is_missing_is_empty(tmp_path):
    results = clip(people=1, frames=2).to("coco17")
    for name in ("a.csv", "a.parquet"):
        path = save(results, tmp_path / name)[0]
        table = pandas.read_csv(path) if name == "a.csv" else pandas.read_parquet(path)
        assert table["left_eye_x_mm"].isna().all() and table["left_knee_x_mm"].notna().all()
    assert "nan" not in (tmp_path / "a.csv").read_text()


def test_pictures_have_no_times_and_each_its_own_floor(tmp_path):
    plain = clip(people=1, frames=2)
    names = ("a.jpg", "b.jpg")
    pictures = replace(plain, image=names, frame=None, time=None, filled=None)
    table = pandas.read_csv(save(pictures, tmp_path / "a.csv")[0])
    assert [*table.columns] == ["image", "person", *COLUMNS]
    ankles = table[["left_ankle_y_mm", "right_ankle_y_mm"]].min(axis=1)
    np.testing.assert_allclose(ankles, 70, atol=0.01)
