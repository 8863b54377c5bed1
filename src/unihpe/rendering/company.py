"""Other people in a picture: where they stand beside, behind and before the main person.

World axes: y up, millimetres, the floor at y = 0.
"""

import numpy as np
from numpy.random import Generator

from unihpe.rendering.body import COLUMN
from unihpe.rendering.raster import Doubles

COUNTS, COUNT_RATES = (1, 2, 3), (0.55, 0.3, 0.15)
PLACES, PLACE_RATES = ("beside", "behind", "before"), (0.45, 0.4, 0.15)
NEAREST = 600.0  # mm from the camera, over the floor, that somebody comes


def draw_company(poses: Doubles, joints: Doubles, eye: Doubles, rng: Generator) -> list[Doubles]:
    """The poses (17, 3) of one to three others about somebody with these joints (17, 3).

    They are drawn from `poses` (N, 17, 3), turned and moved over the floor; `eye` (3,) is where
    the camera is.
    """
    return [
        _placed(poses[rng.integers(len(poses))], _draw_place(joints, eye, rng), rng)
        for _ in range(rng.choice(COUNTS, p=COUNT_RATES))
    ]


def _draw_place(joints: Doubles, eye: Doubles, rng: Generator) -> Doubles:
    """A place on the floor, (3,): near the main person or in line with them."""
    pelvis = joints[COLUMN["pelvis"]] * [1.0, 0.0, 1.0]
    away = pelvis - eye * [1.0, 0.0, 1.0]
    distance = float(np.linalg.norm(away))
    away = away / distance if distance > 1 else np.array([0.0, 0.0, 1.0])
    right, side = np.array([away[2], 0.0, -away[0]]), rng.choice([-1.0, 1.0])
    match rng.choice(PLACES, p=PLACE_RATES):
        case "beside":
            along, aside = rng.uniform(-350, 450), rng.uniform(320, 900)
        case "behind":
            along = rng.uniform(500, 5000)
            aside = rng.uniform(0.0, 700 * (1 + along / max(distance, 1.0)))
        case _:
            along = -rng.uniform(300, 1300)
            aside = rng.uniform(250, 700)
    along = max(along, NEAREST - distance)
    return np.asarray(pelvis + along * away + side * aside * right)


def _placed(pose: Doubles, place: Doubles, rng: Generator) -> Doubles:
    """A pose (17, 3) turned about the vertical at random, its pelvis over a place (3,)."""
    turn = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(turn), np.sin(turn)
    about = pose - pose[COLUMN["pelvis"]] * [1.0, 0.0, 1.0]
    return np.asarray(about @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) + place)
