"""The 2D of a picture: what heat maps show, the trunk made of the limbs, and who is outside."""

import numpy as np
import pytest
import torch

from unihpe.body.batch import Batch, Modality
from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.inference.answer import Answer
from unihpe.inference.results import TRUNK, _seen_in_pictures
from unihpe.inputs.evidence import Evidence, from_picture

OURS = get_skeleton("human36m17")


def test_heat_maps_answer_and_the_trunk_follows_the_limbs():
    points = torch.rand(2, 17, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    confidence = torch.full((2, 17), 0.8)
    hips = [OURS.index(joint) for joint in ("left_hip", "right_hip")]
    pelvis, wrist = OURS.index("pelvis"), OURS.index("left_wrist")
    confidence[0, hips[0]], confidence[1, hips[0]] = 0.3, 0.0  # the second's is not seen
    points[0, wrist] = 3.0  # outside the picture
    box = torch.tensor([[50.0, 60.0, 75.0, 100.0]]).expand(2, 4)
    zeros = torch.zeros(2, 17, 2)
    batch = Batch(zeros, zeros[..., 0], zeros[:, 0, :1].expand(2, 3), box=box)
    camera = Camera.simple(torch.tensor([[100.0, 120.0]] * 2))
    given = Evidence(batch, (Modality.IMAGE,), camera, ("a", "a"), ("0", "1"))
    made = Answer({}, {}, {"image": zeros, "heat maps": points}, None, confidence=confidence)
    seen = _seen_in_pictures(given, made, "", OURS)
    pixels = points * 50 + torch.tensor([50.0, 60.0])
    knee = OURS.index("left_knee")
    torch.testing.assert_close(seen.points[:, knee], pixels[:, knee])
    torch.testing.assert_close(seen.points[0, pelvis], pixels[0, hips].mean(0))
    torch.testing.assert_close(seen.points[1, pelvis], pixels[1, pelvis])  # its own heat map's
    assert float(seen.confidence[0, pelvis]) == float(confidence[0, hips[0]])
    assert seen.confidence[0, wrist] == 0 and seen.confidence[0, knee] > 0
    named = {joint for joint, made in zip(OURS.joints, seen.synthesised, strict=True) if made}
    assert named == set(TRUNK)


@pytest.mark.parametrize(("corners", "theirs"), [(None, []), ([30, 20, 70, 100], ["nose", "head"])])
def test_joints_far_beside_a_persons_box_are_somebody_elses(corners, theirs):
    box = torch.tensor([[50.0, 60.0, 75.0, 100.0]])
    points = torch.zeros(1, 17, 2)
    points[0, OURS.index("head"), 1] = (11 - 60) / 50  # 9 pixels above the box, 80 high
    points[0, OURS.index("nose"), 0] = (79 - 50) / 50  # 9 beside it
    points[0, OURS.index("left_wrist"), 0] = (77 - 50) / 50  # 7 beside it
    zeros = torch.zeros(1, 17, 2)
    batch = Batch(zeros, zeros[..., 0], zeros[:, 0, :1].expand(1, 3), box=box)
    camera = Camera.simple(torch.tensor([[100.0, 120.0]]))
    boxes = None if corners is None else torch.tensor([corners], dtype=torch.float32)
    given = Evidence(batch, (Modality.IMAGE,), camera, ("a",), ("0",), corners=boxes)
    sure = torch.full((1, 17), 0.8)
    made = Answer({}, {}, {"image": zeros, "heat maps": points}, None, confidence=sure)
    seen = _seen_in_pictures(given, made, "", OURS)
    assert [OURS.joints[n] for n in (seen.confidence[0] == 0).nonzero()[:, 0]] == theirs


def test_boxes_of_pictures_say_what_is_somebody_elses():
    picture = np.zeros((120, 100, 3), np.uint8)
    given = from_picture(picture, [[30, 20, 70, 100]], None, OURS, None)
    both = Evidence.join([given, from_picture(picture, "whole", None, OURS, None)])
    assert both.corners is not None
    assert both.corners.tolist() == [[30, 20, 70, 100], [0, 0, 100, 120]]
