"""3DPW's regressed joints in HybrIK's JSON and MMHuman3D's npz, as data sets hold them."""

import json

import numpy as np
import pytest
import torch
from miniatures import people
from opening import open_recorded
from torch.testing import assert_close

from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.check import check
from unihpe.datasets.threedpw.regressed import open_threedpw17
from unihpe.errors import InputError

# j of the canonical 17 <- stored column, as ZeDO's loader gathers MMHuman3D's order
GATHER = [14, 10, 1, 3, 11, 0, 2, 15, 12, 16, 13, 4, 6, 8, 5, 7, 9]
LEFT_FIRST = [0, 4, 5, 6, 1, 2, 3, *range(7, 17)]
FOCAL, CENTRE, SIZE = [1960.0, 1961.0], [540.0, 960.0], [1080, 1920]


def bodies(count=12):
    """Canonical 17 joints, metres, camera axes (y down), relative to the pelvis; and roots."""
    world = people(get_skeleton("human36m17").joints, count)
    camera = world[..., [0, 2, 1]] * [1, -1, 1]  # z up to y down, no mirror image
    relative = camera - camera[:, :1]
    return relative, np.tile([0.2, 0.1, 4.0], (count, 1)) + 0.01 * np.arange(count)[:, None]


def write_hybrik(path, change=None):
    relative, roots = bodies()
    images = [
        {
            "id": n,
            "file_name": f"image_{n:05d}.jpg",
            "sequence": "downtown_cafe_00" if n < 8 else "flat_packBags_00",
            "width": SIZE[0],
            "height": SIZE[1],
            "cam_param": {"focal": FOCAL, "princpt": CENTRE},
        }
        for n in range(len(relative))
    ]
    notes = [
        {
            "image_id": n,
            "h36m_joints": (pose[LEFT_FIRST] + root).tolist(),
            "smpl_joint_cam": np.tile(root, (24, 1)).tolist(),
            "bbox": [1, 2, 3, 4],
        }
        for n, (pose, root) in enumerate(zip(relative, roots, strict=True))
    ]
    content = {"images": images, "annotations": notes}
    if change:
        change(content)
    path.write_text(json.dumps(content))


def write_mmhuman3d(path, change=None):
    relative, roots = bodies()
    stored = np.zeros((len(relative), 17, 4))
    for canonical, column in enumerate(GATHER):
        stored[:, column, :3] = relative[:, canonical]
    stored[..., 3] = 1
    n = len(relative)
    arrays = {
        "keypoints3d17_relative": stored,
        "root_cam": roots,
        "cam_param": np.array(
            {"f": np.tile(FOCAL, (n, 1)), "c": np.tile(CENTRE, (n, 1))}, dtype=object
        ),
        "image_width": np.full(n, SIZE[0]),
        "image_height": np.full(n, SIZE[1]),
        "image_path": np.array(
            [f"imageFiles/downtown_cafe_00/image_{i:05d}.jpg" for i in range(n)]
        ),
    }
    if change:
        change(arrays)
    np.savez(path, **arrays)


def test_other_2d_than_there_is_is_refused(tmp_path):
    write_hybrik(tmp_path / "3DPW_test_new.json")
    exact, gt = (open_recorded("threedpw", tmp_path, name, "test") for name in ("exact", "gt"))
    assert len(exact) == len(gt) and exact.keypoints is None
    for name, words in (("detected", "has the 2D exact only"), ("cpn", "no 2D 'cpn'")):
        with pytest.raises(InputError, match=words):
            open_recorded("threedpw", tmp_path, name, "test")


@pytest.mark.parametrize("kind", ["hybrik", "mmhuman3d"])
def test_both_files_give_the_same_people(tmp_path, kind):
    folder = tmp_path / "mit Umlaut ü" / ("json" if kind == "hybrik" else "")
    folder.mkdir(parents=True)
    if kind == "hybrik":
        write_hybrik(folder / "3DPW_test_new.json")
    else:
        write_mmhuman3d(folder / "pw3d_test.npz")
    source = open_threedpw17(tmp_path / "mit Umlaut ü")
    frames = source.read(torch.arange(len(source)))
    relative, roots = bodies()
    wanted = torch.from_numpy((relative + roots[:, None]) * 1000).float()
    assert_close(frames.pose, wanted, atol=0.01, rtol=0)
    plane = wanted[..., :2] / wanted[..., 2:] * torch.tensor(FOCAL) + torch.tensor(CENTRE)
    assert_close(frames.keypoints, plane, atol=0.01, rtol=0)
    assert source.skeleton.name == "human36m17" and source.frame[:3].tolist() == [0, 1, 2]
    assert len(source.names("sequence")) == (2 if kind == "hybrik" else 1)
    assert len(open_recorded("threedpw", tmp_path / "mit Umlaut ü", "gt", "test")) == 12
    report = check("threedpw", tmp_path / "mit Umlaut ü")
    assert report["unit"] == "m" and report["problems"] == [] and "17 joints" in report["layout"]
    assert report["leg_order"] == "left first"  # of the files; people come with the right one first


def test_hybriks_joints_may_be_flat_and_smpls_more(tmp_path):
    def change(content):
        for note in content["annotations"]:
            note["h36m_joints"] = np.ravel(note["h36m_joints"]).tolist()
            note["smpl_joint_cam"] = np.ravel(
                note["smpl_joint_cam"] + [[9.0, 9.0, 9.0]] * 5
            ).tolist()

    write_hybrik(tmp_path / "3DPW_test_new.json", change)
    source = open_threedpw17(tmp_path)
    relative, roots = bodies()
    wanted = torch.from_numpy((relative + roots[:, None]) * 1000).float()
    assert_close(source.read(torch.arange(len(source))).pose, wanted, atol=0.01, rtol=0)


def millimetres(content):
    for note in content["annotations"]:
        note["h36m_joints"] = (1000 * np.array(note["h36m_joints"])).tolist()


def swapped(content):
    for note in content["annotations"]:
        note["h36m_joints"] = np.array(note["h36m_joints"])[LEFT_FIRST].tolist()


def without(key):
    return lambda content: [note.pop(key) for note in content["annotations"]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (millimetres, "3D is in mm"),
        (swapped, "left and right legs are swapped"),
        (without("h36m_joints"), "not HybrIK's annotations"),
        (
            lambda c: c["annotations"][3]["h36m_joints"].pop(),
            "not HybrIK's annotations|of type object",
        ),
        (
            lambda c: c["annotations"][3]["h36m_joints"][2].__setitem__(0, float("nan")),
            "NaN|not finite|infinite",
        ),
    ],
)
def test_broken_json(tmp_path, change, message):
    write_hybrik(tmp_path / "3DPW_test_new.json", change)
    with pytest.raises(InputError, match=message) as caught:
        open_threedpw17(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("root_cam"), "lacks root_cam"),
        (lambda a: a.update(root_cam=a["root_cam"][:5]), "different lengths"),
        (
            lambda a: a.update(keypoints3d17_relative=a["keypoints3d17_relative"][:, :14]),
            "expected",
        ),
        (lambda a: a.update(cam_param=np.array([1.0])), "no dict with f and c"),
    ],
)
def test_broken_npz(tmp_path, change, message):
    write_mmhuman3d(tmp_path / "pw3d_test.npz", change)
    with pytest.raises(InputError, match=message):
        open_threedpw17(tmp_path)


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match=r"no 3DPW_test_new.json or pw3d_test.npz"):
        open_threedpw17(tmp_path)
