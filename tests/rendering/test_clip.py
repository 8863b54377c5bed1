"""Rendered clips: the truth lies on the people, who keep their looks and cover each other."""

import numpy as np
import pytest
import torch
from conftest import walker

from unihpe.errors import InputError

pytest.importorskip("anny", reason="needs the extra 'synthetic': pip install 'unihpe[synthetic]'")
pytest.importorskip("numba", reason="needs the extra 'synthetic': pip install 'unihpe[synthetic]'")

from unihpe.body.skeleton import get_skeleton
from unihpe.rendering.clip import FilmedPeople
from unihpe.rendering.settings import Settings

SIZE = (320, 180)
SKELETON = get_skeleton("human36m17")


def standing(*places):
    """People (2, P, 17, 3) at x and z, mm, in two frames."""
    poses = torch.stack([walker(2) for _ in places], dim=1).double()
    root = poses[:, :, [SKELETON.index("pelvis")]]
    where = torch.tensor(places, dtype=torch.float64)
    poses[..., 0] += where[:, None, 0] - root[..., 0]
    poses[..., 2] += where[:, None, 1] - root[..., 2]
    return poses


def changed(clip, n):
    """Which pixels of a frame show somebody."""
    empty = FilmedPeople(standing((0, 9000)), SIZE, Settings(seed=4))  # behind the camera
    return (clip[n].picture != empty[n].picture).any(-1)


def test_the_truth_lies_on_the_person():
    clip = FilmedPeople(standing((300, 0)), SIZE, Settings(seed=4))
    frame, seen = clip[1], changed(clip, 1)
    assert len(clip) == 2 and frame.picture.shape == (180, 320, 3)
    x, y = frame.keypoints[0].astype(int).T
    assert seen[y, x].mean() > 0.85
    rows, columns = seen.nonzero()
    assert frame.keypoints[0, :, 0].min() > columns.min() - 3
    assert frame.keypoints[0, :, 1].max() < rows.max() + 3
    camera = clip.view.camera
    projected = camera.project(torch.from_numpy(frame.pose)).numpy()
    np.testing.assert_allclose(projected, frame.keypoints)
    assert frame.pose[0, :, 2].min() > 3000, "millimetres before the camera"


def test_frames_can_be_made_again_and_bones_stay():
    clip, again = (FilmedPeople(standing((0, 0)), SIZE, Settings(seed=4)) for _ in range(2))
    np.testing.assert_array_equal(clip[1].picture, again[1].picture)
    bones = [
        [np.linalg.norm(frame.pose[0, a] - frame.pose[0, b]) for a, b in SKELETON.bones]
        for frame in clip
    ]
    limbs = [n for n, (a, _) in enumerate(SKELETON.bones) if "hip" in SKELETON.joints[a]]
    np.testing.assert_allclose(np.array(bones[0])[limbs], np.array(bones[1])[limbs], atol=1)


@pytest.mark.parametrize("front", [0, 1])
def test_who_is_nearer_covers_the_other(front):
    places = [(0, -800), (0, -800)]
    places[front] = (0, 900)
    both = FilmedPeople(standing(*places), SIZE, Settings(seed=4))
    alone = FilmedPeople(
        standing(*[p if n == front else (0, 9000) for n, p in enumerate(places)]),
        SIZE,
        Settings(seed=4),
    )
    seen = changed(alone, 0)
    assert seen.sum() > 500
    np.testing.assert_array_equal(both[0].picture[seen], alone[0].picture[seen])


def test_poses_of_another_shape():
    with pytest.raises(InputError, match=r"\(T, P, 17, 3\) in human36m17 order"):
        FilmedPeople(torch.zeros(2, 17, 3), SIZE)
