"""Somebody who stands and looks at the camera, in the joints of any set: pixels, 500 × 600."""

import numpy as np

from unihpe.body.skeleton import get_skeleton, other_side

MIDDLE = {
    "nose": (250, 90), "head_top": (250, 50), "head": (250, 60), "jaw": (250, 112),
    "neck": (250, 138), "thorax": (250, 146), "pelvis": (250, 310), "mid_hip": (250, 310),
    "spine": (250, 230), "spine1": (250, 270), "spine2": (250, 230), "spine3": (250, 180),
    "spine4": (250, 150), "spine_base": (250, 310),
}  # fmt: skip
LEFT = {
    "eye": (258, 82), "eye_inner": (255, 82), "eye_outer": (262, 82), "ear": (268, 88),
    "mouth": (256, 104), "collar": (262, 148), "clavicle": (262, 148), "shoulder": (290, 150),
    "elbow": (310, 230), "wrist": (320, 300), "wrist_copy": (320, 300), "hand": (322, 315),
    "hand_end": (322, 320), "hand_site": (323, 324), "pinky": (326, 318), "index": (321, 322),
    "thumb": (314, 312), "hip": (275, 310), "knee": (280, 420), "ankle": (285, 530),
    "heel": (283, 538), "foot": (290, 545), "foot_index": (295, 550), "toe": (295, 550),
    "toe_base": (295, 550), "toe_site": (297, 553), "big_toe": (295, 552), "small_toe": (301, 548),
}  # fmt: skip


def place(joint):
    """x and y of a joint; a face's and hands' points lie near the nose and the wrists."""
    if joint in MIDDLE:
        return MIDDLE[joint]
    if joint.startswith("left_") and (own := LEFT.get(joint.removeprefix("left_"))):
        return own
    if joint.startswith("right_") and joint.removeprefix("right_") in LEFT:
        x, y = place(other_side(joint))
        return 500 - x, y
    near = f"{joint.split('_')[0]}_wrist" if "_hand_" in joint else "nose"
    x, y = place(near)
    return x + len(joint) % 5, y + len(joint) % 7


def figure(name, left=0.0, top=0.0):
    """(J, 2), pixels."""
    places = np.array([place(joint) for joint in get_skeleton(name).joints], dtype=float)
    return places + np.array([left, top])


def flat(name, score=0.9, missing=(), **where):
    """x, y, score, x, … of the figure; the missing joints are 0, 0, 0."""
    rows = np.column_stack([figure(name, **where), np.full(len(get_skeleton(name)), score)])
    rows[list(missing)] = 0
    return rows.ravel().tolist()
