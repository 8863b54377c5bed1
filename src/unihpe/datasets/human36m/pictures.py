"""Where Human3.6M's pictures and videos lie, as several projects name them; frames count from 1."""

from unihpe.datasets.human36m.cameras import INTRINSICS
from unihpe.datasets.human36m.views import OTHER_NAMES, take_of
from unihpe.datasets.recorded import View

CAMERAS = tuple(INTRINSICS)


def pictures(view: View, frame: int) -> list[str]:
    """MMPose's, MMHuman3D's, SPIN's, h36m-fetch's and H36M-Toolbox's names."""
    found, number = [], frame + 1
    for sequence in written(view):
        stem = f"{view.subject}_{sequence.replace(' ', '_')}.{view.camera}"
        file = f"{stem}_{number:06d}.jpg"
        found += [
            f"images/{view.subject}/{stem}/{file}",
            f"{view.subject}/images/{stem}/{file}",
            f"images/{file}",
        ]
    if take := take_of(view.subject, view.sequence):
        listed = f"{view.subject}/{take.listed_name}-{take.number}/imageSequence/{view.camera}"
        place = CAMERAS.index(view.camera) + 1 if view.camera in CAMERAS else 0
        name = (
            f"s_{int(view.subject[1:]):02d}_act_{take.action:02d}_subact_{take.number:02d}"
            f"_ca_{place:02d}"
        )
        found += [f"{listed}/img_{number:06d}.jpg", f"{name}/{name}_{number:06d}.jpg"]
    return found


def videos(view: View, frame: int) -> list[str]:
    """The release's."""
    return [f"{view.subject}/Videos/{sequence}.{view.camera}.mp4" for sequence in written(view)]


def written(view: View) -> list[str]:
    """A sequence of Human3.6M as this subject's files may call it."""
    action, _, number = view.sequence.partition(" ")
    other = OTHER_NAMES.get(action)
    return [view.sequence, *([f"{other} {number}".strip()] if other else [])]
