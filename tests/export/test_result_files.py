"""Results as files: what comes back, several formats at once, and what is refused."""

import json
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from clip import SKELETON, clip
from torch.testing import assert_close

from unihpe.body.skeleton import skeleton
from unihpe.errors import InputError
from unihpe.export import FORMATS, Results, chosen, read_results, save, write


def full():
    """A clip with everything that results may hold, NaN among it."""
    plain = clip(frames=4)
    pose, count = plain.pose, len(plain)
    keypoints = plain.keypoints.clone()
    keypoints[1, 2] = torch.nan
    return replace(
        plain,
        keypoints=keypoints,
        samples=torch.stack([pose, pose + 1, pose - 2]),
        spread=torch.rand(count, len(SKELETON)),
        radii=torch.rand(count, len(SKELETON), 2),
        paths={"image": pose + 3, "2d": pose},
        estimate="as measured",
        partial=True,
    )


def assert_same(found, expected, tolerance):
    for one in fields(Results):
        a, b = getattr(found, one.name), getattr(expected, one.name)
        if isinstance(b, torch.Tensor):
            assert a.dtype == b.dtype, one.name
            assert_close(a, b, atol=tolerance, rtol=0, equal_nan=True)
        elif one.name == "paths":
            assert a.keys() == b.keys()
            assert all(torch.allclose(a[way], b[way], atol=tolerance) for way in b)
        else:
            assert a == b, one.name


@pytest.mark.parametrize(("suffix", "tolerance"), [(".json", 6e-4), (".npz", 0)])
def test_what_is_written_comes_back(suffix, tolerance, tmp_path):
    results = full()
    assert results.save(tmp_path / f"a{suffix}") == [tmp_path / f"a{suffix}"]
    assert_same(Results.load(tmp_path / f"a{suffix}"), results, tolerance)


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_pictures_and_own_joints_come_back(suffix, tmp_path):
    columns = [SKELETON.index(joint) for joint in ("pelvis", "spine", "thorax")]
    plain = replace(clip(people=1, frames=2), frame=None, time=None, filled=None, boxes=None)
    own = skeleton("my own", "pelvis spine thorax")
    results = replace(
        plain,
        skeleton=own,
        pose=plain.pose[:, columns],
        keypoints=plain.keypoints[:, columns],
        confidence=plain.confidence[:, columns],
        synthesised=(True, False, False),
        frame_rate=None,
    )
    save(results, tmp_path / f"a{suffix}")
    found = read_results(tmp_path / f"a{suffix}")
    assert_same(found, results, 6e-4)
    assert found.skeleton.bones == own.bones and not found.is_clip


def test_a_clip_of_nobody_comes_back(tmp_path):
    nobody = clip().rows([])
    for path in write(nobody, tmp_path / "empty", ["npz", "json"]):
        found = read_results(path)
        assert len(found) == 0 and found.pose.shape == (0, len(SKELETON), 3)
        assert found.is_clip


def test_the_layout_of_version_1_is_read(tmp_path):
    """It had no clips, no `format` in the NPZ, and no flag for a part."""
    content = clip(people=1, frames=2).to_dict()
    new = ("frame", "time", "filled", "boxes")
    content["people"] = [
        {key: value for key, value in one.items() if key not in new} for one in content["people"]
    ]
    del content["frame_rate"], content["partial"]
    (tmp_path / "a.json").write_text(json.dumps({**content, "version": 1}))
    found = read_results(tmp_path / "a.json")
    assert len(found) == 2 and not found.is_clip and not found.partial


def broken(tmp_path, **changes):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(clip(people=1, frames=2).to_dict() | changes))
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 99}, "version 99.*upgrade"),
        ({"format": "else"}, "not results of this package"),
        ({"joints": ["pelvis"]}, "shape"),
        ({"people": [1]}, "a person"),
        ({"people": [{"pose": 1}, {}]}, "broken results"),
    ],
)
def test_other_files_are_refused_in_one_line(changes, said, tmp_path):
    with pytest.raises(InputError, match=said) as error:
        read_results(broken(tmp_path, **changes))
    assert "\n" not in str(error.value)


def test_what_is_no_file_of_results(tmp_path):
    (tmp_path / "b.npz").write_bytes(b"no archive")
    np.savez(tmp_path / "c.npz", other=np.zeros(3))
    for name, said in (("a.txt", ".json and .npz"), ("b.npz", "not a"), ("c.npz", "lacks")):
        with pytest.raises(InputError, match=said):
            read_results(tmp_path / name)


def test_formats_are_chosen_by_name():
    assert chosen(["json,npz", ".JSON"], clip=True) == ["json", "npz"]
    assert chosen(["all"], clip=True) == list(FORMATS)
    with pytest.raises(InputError, match="no format 'xls'; there are json"):
        chosen(["xls"], clip=True)


@pytest.mark.parametrize("name", ["c3d", "glb", "parquet", "angles-plot"])
def test_what_is_not_installed_is_said_before_anything_is_written(name, monkeypatch, tmp_path):
    form = FORMATS[name]
    monkeypatch.setitem(sys.modules, form.needs, None)
    with pytest.raises(InputError, match=rf"{name} files need .*unihpe\[{form.extra}\]"):
        write(clip(), tmp_path / "a", ["json", name])
    assert not [*tmp_path.iterdir()]


def test_a_failure_leaves_nothing_behind(tmp_path):
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(InputError, match="cannot write"):
        write(clip(), tmp_path / "a", ["json", "npz"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_the_suffix_names_the_format(tmp_path):
    assert save(clip(), tmp_path / "a clip.v2.json") == [tmp_path / "a clip.v2.json"]
    with pytest.raises(InputError, match="no format has this suffix"):
        save(clip(), tmp_path / "a.xls")
