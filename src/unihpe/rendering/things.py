"""What stands about people: seats under them, tables and rails at their hands, things before and
behind them, what they carry and wear on their heads. Boxes and rounded bodies, placed on the floor.

World axes: y up, millimetres, the floor at y = 0; a level frame has the rows right, up, forward.
"""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from unihpe.rendering.body import COLUMN
from unihpe.rendering.raster import Doubles, Floats
from unihpe.rendering.solids import Material, Solid, box, draw_material, rounded

LEVEL_THIGH = (
    0.6  # a thigh whose drop is below this share of its length is that of a sitting person
)
LOWEST_SEAT, HIGHEST_SEAT = 120.0, 1100.0
HAND_HEIGHTS = (500.0, 1300.0)  # of wrists that rest on something
UP = np.array([0.0, 1.0, 0.0])
Solids = list[Solid]


def _at(joints: Doubles, name: str) -> Doubles:
    return np.asarray(joints[COLUMN[name]])


def _level(forward: Doubles) -> Doubles:
    """The level frame (3, 3) that looks along `forward` (3,) over the floor."""
    ahead = forward * [1.0, 0.0, 1.0]
    length = float(np.linalg.norm(ahead))
    ahead = ahead / length if length > 1e-6 else np.array([0.0, 0.0, 1.0])
    return np.stack([np.cross(UP, ahead), UP, ahead])


def _facing(joints: Doubles) -> Doubles:
    """The level frame of somebody's hips."""
    return _level(np.cross(_at(joints, "left_hip") - _at(joints, "right_hip"), UP))


def _turned(frame: Doubles, angle: float) -> Doubles:
    """A level frame (3, 3), turned about the vertical."""
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray(np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) @ frame)


def draw_seat(joints: Doubles, corners: Floats, rng: Generator) -> Solids:
    """What somebody sits on; nothing for those who do not sit, or sit on the floor.

    `corners` (V, 3) are their body's.
    """
    pelvis = _at(joints, "pelvis")
    ahead = (_at(joints, "left_knee") + _at(joints, "right_knee")) / 2 - pelvis
    for side in ("left", "right"):
        thigh = _at(joints, f"{side}_knee") - _at(joints, f"{side}_hip")
        if abs(thigh[1]) > LEVEL_THIGH * np.linalg.norm(thigh):
            return []
    frame = _level(ahead)
    local = (corners - pelvis) @ frame.T
    under = (np.abs(local[:, 0]) < 150) & (np.abs(local[:, 2]) < 150)
    if not under.any():
        return []
    top = float(corners[under, 1].min()) + 12
    if not LOWEST_SEAT < top < HIGHEST_SEAT:
        return []
    reach = max(120.0, float(ahead @ frame[2]) - 110)
    front, back = min(reach, 320.0), rng.uniform(190, 280)
    half = rng.uniform(210, 300) if rng.random() < 0.6 else rng.uniform(500, 1300)
    material, depth = draw_material(rng), (front + back) / 2
    floor = pelvis * [1.0, 0.0, 1.0] + frame[2] * (front - depth)
    made = _slab(floor, frame, (half, depth), top, rng.random() < 0.45, material, rng)
    if rng.random() < 0.55:
        tall, thick = rng.uniform(120, 330), rng.uniform(15, 70)
        middle = floor + UP * (top + tall) - frame[2] * (depth + thick)
        made.append(box(middle, frame, (half, tall, thick), material))
    return made


def _slab(
    floor: Doubles,
    frame: Doubles,
    half: tuple[float, float],
    top: float,
    solid: bool,
    material: Material,
    rng: Generator,
) -> Solids:
    """A top (half its width and depth) over a place on the floor, solid down to it or on legs."""
    wide, deep = half
    if solid:
        return [box(floor + UP * top / 2, frame, (wide, top / 2, deep), material)]
    thick, leg = rng.uniform(12, 45), rng.uniform(14, 35)
    made = [box(floor + UP * (top - thick), frame, (wide, thick, deep), material)]
    for right in (-1, 1):
        for ahead in (-1, 1):
            corner = right * (wide - leg) * frame[0] + ahead * (deep - leg) * frame[2]
            height = top / 2 - thick
            made.append(box(floor + corner + UP * height, frame, (leg, height, leg), material))
    return made


def draw_support(joints: Doubles, corners: Floats, rng: Generator) -> Solids:
    """A table, a counter or a rail under somebody's hand; nothing where no hand is before them."""
    frame, pelvis = _facing(joints), _at(joints, "pelvis")
    wrists = [_at(joints, f"{side}_wrist") for side in ("left", "right")]
    low, high = HAND_HEIGHTS
    held = [w for w in wrists if low < w[1] < high and (w - pelvis) @ frame[2] > 220]
    if not held:
        return []
    hand = min(held, key=lambda w: float(w[1]))
    top, out = float(hand[1]) - 45, float((hand - pelvis) @ frame[2])
    floor = pelvis * [1.0, 0.0, 1.0] + frame[0] * rng.uniform(-300, 300)
    if rng.random() < 0.35:
        return _rail(floor + frame[2] * (out + 60), frame, top, rng)
    local = (corners - pelvis) @ frame.T
    below = (corners[:, 1] < top) & (np.abs(local[:, 0]) < 450)
    knees = float(local[below, 2].max(initial=0.0))
    near = max(190.0, out - rng.uniform(0, 150))
    deep = rng.uniform(200, 450)
    solid = knees < near and rng.random() < 0.5
    half = (rng.uniform(350, 1300), deep)
    return _slab(floor + frame[2] * (near + deep), frame, half, top, solid, draw_material(rng), rng)


def _rail(floor: Doubles, frame: Doubles, top: float, rng: Generator) -> Solids:
    """A rail or fence through a place on the floor: bars, and posts or pales."""
    wide, thick = rng.uniform(700, 2200), rng.uniform(10, 35)
    material = draw_material(rng)
    bars = int(rng.integers(1, 4))
    heights = top - np.arange(bars) * rng.uniform(0.2, 0.45) * top
    made = [box(floor + UP * y, frame, (wide, thick, thick), material) for y in heights if y > 40]
    posts = int(rng.integers(2, 5)) if rng.random() < 0.7 else int(rng.integers(8, 18))
    slim = thick * (1.0 if posts < 6 else 0.5)
    for x in np.linspace(-wide, wide, posts):
        made.append(
            box(floor + frame[0] * x + UP * top / 2, frame, (slim, top / 2, slim), material)
        )
    return made


def draw_before(joints: Doubles, eye: Doubles, rng: Generator) -> Solids:
    """Something between the camera, at `eye` (3,), and somebody: a post, fence, block or bush."""
    pelvis = _at(joints, "pelvis")
    toward = (eye - pelvis) * [1.0, 0.0, 1.0]
    share = rng.uniform(0.15, 0.6)
    nearer = 1 - share
    if np.linalg.norm(toward) * share < 350:
        return []
    frame = _turned(_level(toward), rng.uniform(-0.5, 0.5))
    aside = frame[0] * rng.uniform(-450, 450) * nearer
    floor = pelvis * [1.0, 0.0, 1.0] + toward * share + aside
    hidden = rng.uniform(100, 850)  # up to where it hides a person, mm above the floor
    top = max(120.0, hidden + share * (float(eye[1]) - hidden))
    kind = rng.choice(["post", "fence", "block", "bush", "slab"], p=[0.25, 0.25, 0.2, 0.2, 0.1])
    if kind == "fence":
        return _rail(floor, frame, max(top, 400.0), rng)
    if kind == "post":
        half = (rng.uniform(20, 110) * nearer, 2500.0, rng.uniform(20, 110) * nearer)
        return [box(floor + UP * 2500, frame, half, draw_material(rng))]
    wide, deep = rng.uniform(200, 900) * nearer, rng.uniform(150, 350)
    if kind == "bush":
        size = (wide * 1.3, top / 2, deep)
        middle = floor + UP * top / 2
        return [rounded(middle, frame, size, draw_material(rng), rng.uniform(0.35, 1.0))]
    return _slab(floor, frame, (wide, deep), top, kind == "block", draw_material(rng), rng)


def draw_clutter(joints: Doubles, eye: Doubles, rng: Generator) -> Solids:
    """One to three things behind and beside somebody: furniture, posts, bushes, walls."""
    pelvis, made = _at(joints, "pelvis") * [1.0, 0.0, 1.0], Solids()
    away = _level(pelvis - eye)
    for _ in range(rng.integers(1, 4)):
        along, aside = rng.uniform(500, 3500), rng.uniform(-1200, 1200)
        floor = pelvis + away[2] * along + away[0] * aside
        frame, material = _turned(away, rng.uniform(0, 2 * np.pi)), draw_material(rng)
        top = rng.uniform(300, 1200) if rng.random() < 0.7 else rng.uniform(1500, 3000)
        half = (rng.uniform(80, 900), rng.uniform(80, 500))
        if rng.random() < 0.3:
            size, power = (half[0], top / 2, half[1]), rng.uniform(0.3, 1.0)
            made.append(rounded(floor + UP * top / 2, frame, size, material, power))
        else:
            made += _slab(floor, frame, half, top, rng.random() < 0.6, material, rng)
    return made


def draw_carried(joints: Doubles, rng: Generator) -> Solids:
    """A bag, ball, stick or cup in a hand, or a pack on the back."""
    side = rng.choice(["left", "right"])
    elbow, wrist = _at(joints, f"{side}_elbow"), _at(joints, f"{side}_wrist")
    along = (wrist - elbow) / max(1.0, float(np.linalg.norm(wrist - elbow)))
    hand, material = wrist + 80 * along, draw_material(rng)
    kind = rng.choice(["bag", "ball", "stick", "cup", "pack"], p=[0.3, 0.15, 0.2, 0.1, 0.25])
    draw: Callable[[], Solids] = {
        "bag": lambda: _bag(hand, material, rng),
        "ball": lambda: _ball(hand + along * 60, material, rng),
        "stick": lambda: _stick(hand, along, material, rng),
        "cup": lambda: [box(hand + 40 * along, _facing(joints), (35, 75, 12), material)],
        "pack": lambda: _pack(joints, material, rng),
    }[kind]
    return draw()


def _bag(hand: Doubles, material: Material, rng: Generator) -> Solids:
    """A bag that hangs from a hand, with its handles; not below the floor."""
    half = rng.uniform(100, 240), rng.uniform(90, 210), rng.uniform(35, 90)
    drop = rng.uniform(20, 250)
    if hand[1] - drop - 2 * half[1] < 0:
        return []
    frame = _turned(np.eye(3), rng.uniform(0, 2 * np.pi))
    body = rounded(hand - UP * (drop + half[1]), frame, half, material, rng.uniform(0.25, 0.6))
    handles = [
        box(hand - UP * drop / 2 + frame[0] * x, frame, (6, drop / 2 + 20, 6), material)
        for x in (-0.4 * half[0], 0.4 * half[0])
    ]
    return [body, *handles]


def _ball(hand: Doubles, material: Material, rng: Generator) -> Solids:
    radius = rng.choice([35.0, 110.0, 125.0])
    frame = _turned(np.eye(3), rng.uniform(0, 2 * np.pi))
    return [rounded(hand + UP * (radius - 30), frame, (radius,) * 3, material)]


def _stick(hand: Doubles, along: Doubles, material: Material, rng: Generator) -> Solids:
    """A stick, bat, club or racket held in a fist, about across the forearm."""
    way = along + rng.normal(0, 0.8, 3)
    way /= max(float(np.linalg.norm(way)), 1e-6)
    across = np.cross(way, UP if abs(way[1]) < 0.9 else np.array([1.0, 0, 0]))
    across /= np.linalg.norm(across)
    frame = np.stack([across, way, np.cross(across, way)])
    length, thick = rng.uniform(250, 700), rng.uniform(8, 25)
    made = [box(hand + way * (length - 60), frame, (thick, length, thick), material)]
    if rng.random() < 0.5:  # a racket's or a paddle's head
        head = (rng.uniform(70, 130), rng.uniform(90, 170), 12)
        made.append(rounded(hand + way * (2 * length), frame, head, material, 0.9))
    return made


def _pack(joints: Doubles, material: Material, rng: Generator) -> Solids:
    thorax, pelvis = _at(joints, "thorax"), _at(joints, "pelvis")
    up = (thorax - pelvis) / max(1.0, float(np.linalg.norm(thorax - pelvis)))
    right = _at(joints, "left_shoulder") - _at(joints, "right_shoulder")
    forward = np.cross(right, up)
    forward /= max(float(np.linalg.norm(forward)), 1e-6)
    frame = np.stack([np.cross(up, forward), up, forward])
    half = (rng.uniform(120, 180), rng.uniform(150, 250), rng.uniform(60, 130))
    middle = 0.6 * thorax + 0.4 * pelvis - forward * (half[2] + 110)
    return [rounded(middle, frame, half, material, rng.uniform(0.3, 0.6))]


def draw_headwear(
    joints: Doubles, rim: Floats, cap: Material | None, hair: Material, rng: Generator
) -> Solids:
    """A brim or peak of the cap's material; without a cap, a bun, a tail or a round head of hair.

    `rim` (N, 3) are the head's corners near the edge of the cap.
    """
    if len(rim) < 8:
        return []
    middle = rim.astype(np.float64).mean(0)
    up = _at(joints, "head") - _at(joints, "thorax")
    up /= max(float(np.linalg.norm(up)), 1e-6)
    forward = _at(joints, "nose") - _at(joints, "thorax")
    forward -= up * (forward @ up)
    if np.linalg.norm(forward) < 1e-6:
        return []
    forward /= np.linalg.norm(forward)
    frame = np.stack([np.cross(up, forward), up, forward])
    radius = float(np.linalg.norm(rim - middle, axis=1).mean())
    if cap is not None:
        if rng.random() < 0.5:  # a brim all round
            wide = radius + rng.uniform(35, 130)
            return [rounded(middle, frame, (wide, rng.uniform(6, 14), wide), cap, 0.95)]
        peak = (0.75 * radius, 7.0, 0.8 * radius)
        return [rounded(middle + forward * radius * 0.85, frame, peak, cap, 0.9)]
    kind = rng.choice(["bun", "tail", "round"], p=[0.3, 0.35, 0.35])
    if kind == "bun":
        size, way = rng.uniform(30, 55), rng.uniform(0.2, 1.2)
        place = middle + radius * 1.1 * (np.sin(way) * up - np.cos(way) * forward)
        return [rounded(place, frame, (size, size, size), hair)]
    if kind == "tail":
        half = (rng.uniform(22, 45), rng.uniform(80, 200), rng.uniform(22, 45))
        return [
            rounded(
                middle - forward * (radius * 1.15 + 15) - up * half[1] * 0.75, frame, half, hair
            )
        ]
    wide = radius + rng.uniform(10, 70)
    place = middle - forward * (wide - radius) * 0.9 + up * (0.25 * wide)
    return [rounded(place, frame, (wide, wide * rng.uniform(0.6, 0.85), wide * 0.95), hair)]
