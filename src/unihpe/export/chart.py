"""Drawings with matplotlib: people in space, and their angles over time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from unihpe.body.angles import angles
from unihpe.body.measures import centre_of_mass, speeds
from unihpe.body.skeleton import side_of
from unihpe.export.motion import Motion
from unihpe.export.results import Results
from unihpe.io.extra import extra
from unihpe.io.files import replacing

COLOURS = {"left": "#2563eb", "right": "#d1495b", "centre": "#4b5563"}
GRID = "#e5e7eb"
LEAST_REACH = 0.5  # m; half of what is shown each way, at least
SPANS = {"°": 30.0, "m/s": 1.0, "mm": 200.0}  # what a panel's height is at least
# A panel: its title, unit, and its lines; {side} stands for left and right.
PANELS = (
    ("Knee flexion", "°", ("{side}_knee_flexion",)),
    ("Elbow flexion", "°", ("{side}_elbow_flexion",)),
    ("Hip flexion", "°", ("{side}_hip_flexion",)),
    ("Shoulder elevation", "°", ("{side}_shoulder_elevation",)),
    ("Hip abduction", "°", ("{side}_hip_abduction",)),
    ("Trunk lean", "°", ("trunk_flexion", "trunk_lateral_flexion")),
    ("Speed of the ankles", "m/s", ("{side}_ankle",)),
    ("Speed of the wrists", "m/s", ("{side}_wrist",)),
    ("Centre of mass: height", "mm", ("height",)),
    ("Centre of mass: speed", "m/s", ("speed",)),
)
NAMES = {"trunk_flexion": "forwards", "trunk_lateral_flexion": "to the right"}
STYLES = {"trunk_lateral_flexion": "--"}


def write_angles_chart(path: Path, motion: Motion) -> None:
    """Write one person's angles, speeds and centre of mass over time as PNG; gaps stay open."""
    figure = _figure((11, 11))
    lines, axes = _lines(motion), figure.subplots(5, 2, sharex=True)
    for axis, (title, unit, names) in zip(axes.flat, PANELS, strict=True):
        _draw_panel(axis, motion.time, title, unit, names, lines)
    for axis in axes[-1]:
        axis.set_xlabel("time, s")
    figure.suptitle(f"Person {motion.person}")
    # set by hand: to compute it takes longer than all else
    figure.subplots_adjust(0.06, 0.05, 0.98, 0.93, wspace=0.12, hspace=0.3)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _lines(motion: Motion) -> Mapping[str, Tensor]:
    """What panels show, (T,) each, by name."""
    centre = centre_of_mass(motion.places, motion.skeleton)
    fast = speeds(motion.places, motion.time)
    joints = {joint: fast[:, n] for n, joint in enumerate(motion.skeleton.joints)}
    whole = {"height": centre[:, 1], "speed": speeds(centre, motion.time)}
    return {**angles(motion.places, motion.skeleton), **joints, **whole}


def _draw_panel(
    axis: Any,
    time: Tensor,
    title: str,
    unit: str,
    names: tuple[str, ...],
    lines: Mapping[str, Tensor],
) -> None:
    shown = [name.format(side=side) for name in names for side in ("left", "right")]
    for name in dict.fromkeys(shown):
        if name in lines:
            side = side_of(name)
            label = NAMES.get(name, side if side != "centre" else "")
            style = {"color": COLOURS[side], "linestyle": STYLES.get(name, "-")}
            axis.plot(time.numpy(), lines[name].numpy(), label=label, linewidth=1.4, **style)
    if any(line.get_label()[:1] not in ("", "_") for line in axis.get_lines()):
        corner = {"loc": "lower right", "bbox_to_anchor": (1, 0.98), "borderaxespad": 0}
        axis.legend(frameon=False, fontsize=8, ncols=2, **corner)
    low, high = axis.get_ylim()
    missing = max(0.0, SPANS[unit] - (high - low)) / 2
    shift = max(0.0, missing - low) if unit == "m/s" else 0.0  # speeds are not below 0
    axis.set_ylim(low - missing + shift, high + missing + shift)
    axis.set_title(f"{title}, {unit}", fontsize=10, loc="left")
    axis.grid(color=GRID)
    axis.spines[["top", "right"]].set_visible(False)


def plot_people(results: Results) -> Any:
    """A matplotlib figure of everybody in the results' first frame or picture, in space."""
    level = results.to_floor()
    image = results.image[:1]
    shown = [n for n in range(len(level)) if (level.image[n],) == image]
    if level.frame is not None and shown:
        first = min(int(level.frame[n]) for n in shown)
        shown = [n for n in shown if int(level.frame[n]) == first]
    figure = _figure((6, 6))
    axis = figure.add_subplot(projection="3d")
    places = level.absolute[shown].numpy()[..., [0, 2, 1]] * (1e-3, -1e-3, 1e-3)
    for own in places:
        for a, b in level.skeleton.bones:
            colour = COLOURS[side_of(level.skeleton.joints[b])]
            axis.plot(*own[[a, b]].T, color=colour, linewidth=2)
    seen = places[np.isfinite(places).all(-1)]
    if len(seen):
        middle, reach = (seen.min(0) + seen.max(0)) / 2, np.ptp(seen, axis=0) / 2
        reach = np.maximum(reach * 1.1, LEAST_REACH)
        for name, low, high in zip("xyz", middle - reach, middle + reach, strict=True):
            axis.set(**{f"{name}lim": (low, high)})
    axis.set_aspect("equal")
    axis.set(xlabel="x, m", ylabel="away from the camera, m", zlabel="height, m")
    axis.locator_params(nbins=5)
    axis.view_init(12, -60)
    return figure


def _figure(size: tuple[float, float]) -> Any:
    library = extra("matplotlib.figure", "plots", "drawings need matplotlib")
    return library.Figure(figsize=size)
