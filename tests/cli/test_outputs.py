"""What a command writes: all of its files, or none."""

import numpy as np
import pytest


@pytest.fixture
def people(tmp_path):
    file = tmp_path / "people.npy"
    np.save(file, np.random.default_rng(0).uniform(100, 400, (2, 17, 2)).astype(np.float32))
    return ("--keypoints", file, "--image-size", "640x480", "--skeleton", "coco17")


@pytest.mark.parametrize("unwritable", ["poses.npz", "poses.html"])
def test_predict_writes_all_its_files_or_none(unihpe, people, tmp_path, unwritable):
    out = tmp_path / "out"
    (out / unwritable).mkdir(parents=True)
    code, _, error = unihpe("predict", *people, "-o", out)
    assert code == 2 and f"cannot write {out / unwritable}: Is a directory" in error
    assert [path.name for path in out.iterdir()] == [unwritable]
    (out / unwritable).rmdir()
    code, _, _ = unihpe("predict", *people, "-o", out)
    names = ["poses.html", "poses.json", "poses.npz", "poses.png"]
    assert code == 0 and sorted(path.name for path in out.iterdir()) == names
