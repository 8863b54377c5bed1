"""An answer as results: in people's units, placed before the camera."""

import torch
from torch import Tensor

from unihpe.body.boxes import from_box
from unihpe.body.camera import place
from unihpe.body.conversions import Converted, convert
from unihpe.body.skeleton import Skeleton
from unihpe.export.results import Results
from unihpe.inference.answer import FLIP_TEST, FUSED, HEAT_MAPS, IMAGE, Answer
from unihpe.inputs.evidence import Evidence

HEAT_MAPS_2D = "2D by heat maps"
TRUNK = ("pelvis", "spine", "thorax")
OUTSIDE = 1e-3  # weight of joints outside a picture in where a person stands
FARTHEST = 0.1  # of a box's longer side: joints farther outside it are somebody else's
SOME = 1024  # people at a time


def results_of(given: Evidence, made: Answer, skeleton: Skeleton, flip: bool, how: str) -> Results:
    """An answer in people's units, placed before the camera; `how` it was found, in words.

    The answer's hypotheses are root-relative here.
    """
    tested, camera, joints = FLIP_TEST if flip else "", given.camera, given.keypoints
    ways = [*(kind.label for kind in given.kinds), *([FUSED] if FUSED in made.poses else [])]
    paths = {way: made.poses[way + tested].cpu() for way in ways}
    source = given.source
    if joints is None:
        joints = _seen_in_pictures(given, made, tested, skeleton)
        source = HEAT_MAPS_2D if HEAT_MAPS in made.keypoints else ""
    pose, samples = paths[given.kinds[-1].label], made.hypotheses
    trust = joints.confidence
    if given.keypoints is None:  # somebody may have no joint in the picture, and stands somewhere
        trust = trust.clamp_min(OUTSIDE)
    estimate = f"{how}, mean with the mirrored one" if flip else how
    return Results(
        skeleton=skeleton,
        pose=pose,
        keypoints=joints.points,
        confidence=joints.confidence,
        synthesised=joints.synthesised,
        translation=place(pose, joints.points, camera, trust),
        image_size=camera.size,
        focal=camera.focal[:, 0],
        focal_source="given" if given.focal_given else "assumed √(W² + H²)",
        image=given.image,
        person=given.person,
        samples=samples,
        spread=None if samples is None else _spread_of(samples),
        radii=None if made.radii is None else made.radii.cpu(),
        estimate="; ".join(filter(None, [estimate, source])),
        paths=paths if len(ways) > 1 else {},
    )


def _seen_in_pictures(given: Evidence, made: Answer, tested: str, skeleton: Skeleton) -> Converted:
    """The 2D of pictures, in their pixels, by heat maps where there are any, else by the embedding,
    which knows it less well. The trunk's middle is made of the limbs where they are seen: nearer
    than its own heat maps (docs/results.md). A joint outside its picture has confidence 0, and
    so has one that is somebody else's, by where it lies beside the person's box."""
    assert given.batch.box is not None
    shown = made.keypoints.get(HEAT_MAPS + tested, made.keypoints[IMAGE.label + tested]).cpu()
    points = from_box(shown, given.batch.box)
    known = torch.ones(points.shape[:2]) if made.confidence is None else made.confidence.cpu()
    columns = [n for n, joint in enumerate(skeleton.joints) if joint not in TRUNK]
    own = convert(points[:, columns], known[:, columns], skeleton.only(columns), skeleton)
    better = (own.confidence > 0) & torch.tensor(own.synthesised)
    points = torch.where(better[..., None], own.points, points)
    known = torch.where(better, own.confidence, known)
    inside = ((points >= 0) & (points <= given.camera.size[:, None])).all(-1)
    if given.corners is not None:
        low, high = given.corners[:, None].split(2, dim=-1)  # (N, 1, 2)
        beyond = torch.maximum(low - points, points - high).amax(-1)
        inside &= beyond <= FARTHEST * (high - low).amax(-1)
    return Converted(points, known * inside, own.synthesised)


def spread(samples: Tensor) -> Tensor:
    """Root-mean-square distance of samples (S, ..., C) from their mean, for each joint: (...)."""
    return (samples - samples.mean(0)).square().sum(-1).mean(0).sqrt()


def _spread_of(samples: Tensor) -> Tensor:
    """The `spread` of samples (S, N, J, 3) that may lie on disk: (N, J)."""
    return torch.cat([spread(some) for some in samples.split(SOME, dim=1)])
