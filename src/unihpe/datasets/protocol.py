"""Protocols: which poses are measured and how, and the same in words that suffice to redo it.

"Protocol 1" and "2" mean two errors on the same frames in lifting papers, and two sets of cameras
in papers that fit SMPL: names say whose. Each set's own are in `datasets/NAME/protocols.toml`; the
sources and where they disagree are described in docs/protocols.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from unihpe.datasets.recorded import View, Wanted
from unihpe.io.files import packaged_toml

Metric = Literal[
    "MPJPE", "PA-MPJPE", "PA-MPJPE, reflections allowed", "N-MPJPE", "3DPCK@150", "AUC"
]
Words = dict[str, str]  # a protocol in words, by part
PAIRED = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
LIMBS = tuple(f"{side}_{part}" for part in PAIRED for side in ("left", "right"))
MEANS = {
    "groups": "mean over joints, then over the poses of a group, then the plain mean over groups",
    "poses": "mean over joints, then over all poses; groups are shown beside",
}
ALIGNMENT = (
    "MPJPE none; PA-MPJPE rotation, translation and scale{}; N-MPJPE scale only;"
    " 3DPCK nearer than 150 mm, AUC its mean over 0, 5, …, 150 mm"
)


@dataclass(frozen=True)
class Figure:
    """One number of a protocol: a metric over some joints; () is all of them."""

    metric: Metric
    joints: tuple[str, ...] = ()


ERRORS = (Figure("MPJPE"), Figure("PA-MPJPE"), Figure("N-MPJPE"))


@dataclass(frozen=True)
class Scored:
    """What a protocol was measured on, for its words."""

    data: str = ""  # the set's name
    layout: str = "the set"
    skeleton: str = ""
    count: int = 0  # joints of the skeleton
    joints: str = "all that set and model share"  # those that can be scored
    keypoints: str = "as asked for"  # which 2D of a recorded set
    two_d: str = ""  # which 2D of virtual cameras
    cameras: str = ""  # which virtual cameras
    flip: bool = False  # the flip test stands beside
    focal: str = "as asked for"
    step: int | None = None  # frames from one to the next, as in a copy with fewer; None: `stride`
    lacks: tuple[str, ...] = ()  # what the copy does not have
    notes: str = "none"  # what the source left out


@dataclass(frozen=True)
class Protocol:
    """A protocol: rules that decide what is measured."""

    name: str
    about: str = ""  # whose it is, and what may be compared with it
    figures: tuple[Figure, ...] = ERRORS
    split: str = "test"
    stride: int = 1
    root: str = "pelvis"  # the joint both poses are moved to; mid_hip is half way between the hips
    # "groups": the plain mean over the set's groups (actions); "poses": the mean over all poses
    averaging: Literal["groups", "poses"] = "groups"
    cameras: tuple[str, ...] = ()  # those that count; () is all
    actions: tuple[str, ...] = ()
    condition: Wanted = lambda view: True  # what else decides of a view
    condition_words: str = ""
    without: tuple[tuple[str, ...], ...] = ()  # (subject, sequence) or (subject, sequence, camera)
    why: str = ""  # those are left out
    flip: bool = False  # whether the published numbers use the flip test
    truth: str | None = None  # which of the set's 3D, where it has several
    joints_from: str = ""  # the joint set the data must have, where that is part of the protocol
    # parts of the words that are not made from the rules: templates of what is `Scored`
    texts: Mapping[str, str] = field(default_factory=dict)

    def wants(self, view: View) -> bool:
        sequence = view.subject, view.sequence
        return (
            view.split == self.split
            and (not self.cameras or view.camera in self.cameras)
            and (not self.actions or view.action in self.actions)
            and self.condition(view)
            and sequence not in self.without
            and (*sequence, view.camera) not in self.without
        )

    def words(self, scored: Scored) -> Words:
        """The protocol in words that suffice to redo a number."""
        left_out = ", ".join(" ".join(one) for one in self.without)
        exclusions = f"{left_out}: {self.why}" if left_out else self.why or "none"
        reflected = any("reflections" in figure.metric for figure in self.figures)
        reflection = "; a reflection too where said" if reflected else ", no reflection"
        rules = {
            "name": self.name,
            "data": self.views_in_words(scored),
            "joints": self.figures_in_words(scored.joints),
            "root": f"{self.root.replace('_', ' ')} at the origin, camera axes",
            "alignment": ALIGNMENT.format(reflection),
            "averaging": MEANS[self.averaging],
            "exclusions": "; ".join([exclusions, *(f"the copy: {line}" for line in scored.lacks)]),
            "about": self.about,
        }
        given = {**vars(scored), "split": self.split, "stride": self.stride}
        rules |= {part: text.format(**given) for part, text in self.texts.items()}
        return {part: text for part, text in rules.items() if text}

    def views_in_words(self, scored: Scored) -> str:
        """Which frames of which cameras, and which 2D."""
        cameras = f"cameras {', '.join(self.cameras)}" if self.cameras else "all cameras"
        actions = f"actions {', '.join(self.actions)}" if self.actions else ""
        chosen = filter(None, (cameras, actions, self.condition_words))
        step = scored.step or self.stride
        frames = _every(step) if step == 1 else f"{_every(step)} of each sequence"
        frames += f" (the protocol: {_every(self.stride)})" if step != self.stride else ""
        return (
            f"{scored.layout}, split {self.split}, {frames}, {', '.join(chosen)},"
            f" 2D {scored.keypoints}, flip test {'beside' if scored.flip else 'no'};"
            f" focal length in the box token: {scored.focal}"
        )

    def figures_in_words(self, shared: str) -> str:
        """Which metric is taken over which joints; `shared` are all that can be scored."""
        words = {one.joints: f"{len(one.joints)}: {', '.join(one.joints)}" for one in self.figures}
        words[()] = shared
        return "; ".join(f"{figure.metric} over {words[figure.joints]}" for figure in self.figures)


def _every(step: int) -> str:
    return "every frame" if step == 1 else f"every {step}th frame"


PLAIN = {
    "joints": "{joints} ({skeleton})",
    "alignment": "MPJPE none; PA-MPJPE rotation, translation and scale (no reflection);"
    " N-MPJPE scale only",
}
# A split as it is: every joint, every camera, groups as the set's scores are usually averaged.
EVERY_JOINT = Protocol(
    "every joint",
    texts={
        **PLAIN,
        "name": "{data}-all-joints",
        "data": "{layout}, split {split}, every {stride}th frame of each sequence, all cameras;"
        " focal length in the box token: {focal}",
    },
)


def packaged_protocols(data_set: str) -> tuple[Protocol, ...]:
    """The named protocols of a set of the table: protocols.toml in its folder, a table each."""
    tables = packaged_toml(f"unihpe.datasets.{data_set}", "protocols.toml")
    joints = {"all": ()} | tables.pop("joints", {})
    protocols = []
    for name, table in tables.items():
        scored = table.pop("figures", None)
        figures = [Figure(metric, tuple(joints[kind])) for metric, kind in (scored or {}).items()]
        lists = {key: value for key, value in table.items() if isinstance(value, list)}
        rows = {
            k: tuple(tuple(x) if isinstance(x, list) else x for x in v) for k, v in lists.items()
        }
        protocols.append(Protocol(name, figures=tuple(figures) or ERRORS, **table | rows))
    return tuple(protocols)
