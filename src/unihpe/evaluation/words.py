"""Protocols: what exactly a score means, in words that suffice to redo it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Protocol(BaseModel):
    """How poses are scored. Printed with every score.

    Attributes:
        name: of the protocol.
        data: what is evaluated: set, split, which frames, which cameras, which 2D.
        joints: which joints count.
        root: what poses are relative to.
        alignment: what each figure removes before it measures.
        averaging: in which order means are taken.
        exclusions: what was left out, and why.
        about: whose protocol it is, and what compares with it.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    data: str
    joints: str
    root: str = "pelvis at the origin, camera axes"
    alignment: str = (
        "MPJPE none; PA-MPJPE rotation, translation and scale (no reflection); N-MPJPE scale only"
    )
    averaging: str = (
        "mean over joints, then over the poses of a group, then the plain mean over groups"
    )
    exclusions: str = "none"
    about: str = ""


def motion_protocol(
    skeleton: str, joints: int, split: str, stride: int, two_d: str, seed: int, focal: str
) -> Protocol:
    """Motion capture seen by the four fixed virtual cameras."""
    noise = f", detector noise seed {seed}" if two_d == "detected" else ""
    return Protocol(
        name="motion-fixed-cameras",
        data=(
            f"motion capture, split {split} (motions without a split included), every {stride}th frame of each"
            f" motion, four fixed virtual cameras placed like Human3.6M's, 2D {two_d}{noise}; focal length in the box token: {focal}"
        ),
        joints=f"all {joints} of {skeleton}",
    )


def recorded_protocol(
    name: str, layout: str, skeleton: str, joints: int, split: str, stride: int, focal: str
) -> Protocol:
    """A recorded set's split as it is: every joint, every camera, groups as the set's scores are usually averaged."""
    return Protocol(
        name=f"{name}-all-joints",
        data=f"{layout}, split {split}, every {stride}th frame of each sequence, all cameras; focal length in the box token: {focal}",
        joints=f"all {joints} of {skeleton}",
    )


def people_protocol(split: str, joints: int, focal: str) -> Protocol:
    """Rendered people of one packed set, as they were rendered."""
    return Protocol(
        name="rendered-people",
        data=f"rendered people, split {split}, every picture as rendered; focal length in the box token: {focal}",
        joints=f"all {joints} that the set has, seen or not",
    )


def photographs_protocol(split: str, notes: tuple[str, ...]) -> Protocol:
    """Photographs with annotated keypoints, image → 2D only."""
    return Protocol(
        name="photographs",
        data=f"COCO's people, split {split}, crops of the annotated boxes; focal length in the box token: assumed √(W² + H²)",
        joints="the 12 limb joints: shoulders, elbows, wrists, hips, knees, ankles; visible (v = 2), and all marked (v > 0)",
        root="none: pixels of the picture",
        alignment="none; PCK by the larger side of the annotated box, EPE in pixels of the picture",
        averaging="mean over all joints of all people together",
        exclusions="; ".join(notes) or "none",
    )
