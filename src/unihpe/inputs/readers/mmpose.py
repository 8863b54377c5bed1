"""MMPose 1.x."""

from typing import Any

from unihpe.inputs.detections import Detections, Person, as_row

COCO, HALPE = ("coco17", "coco_wholebody133"), ("halpe26", "halpe136")
SETS = (*COCO, *HALPE, "mpii16", "human36m17")
# What MMPose calls its data sets → whose joints they are; others (hands, faces, animals, and bodies
# of other joints) must be named by the user.
DATA_SETS = {
    **dict.fromkeys(("coco", "ochuman", "humanart", "coco_wholebody", "ubody2d"), COCO),
    **dict.fromkeys(("halpe", "halpe26"), HALPE),
    "mpii": ("mpii16",),
    "h36m": ("human36m17",),
}


def read_mmpose(content: Any, name: str) -> Detections:
    """A demo's output (of a picture: instances; of a video: frames of them), or either alone."""
    frames, meta = content, None
    if isinstance(content, dict):
        frames, meta = content["instance_info"], content.get("meta_info")
    counted = any("instances" in as_row(frame) for frame in frames)
    if not counted:
        frames = [{"frame_id": name, "instances": frames}]
    people = []
    for n, frame in enumerate(map(as_row, frames)):
        for k, instance in enumerate(map(as_row, frame.get("instances") or [])):
            ids = str(frame.get("frame_id", n)), str(instance.get("track_id", k))
            joints, scores = instance.get("keypoints"), instance.get("keypoint_scores")
            people.append(Person(*ids, joints, [] if scores is None else scores))
    data = str(meta.get("dataset_name") or "").lower() if isinstance(meta, dict) else ""
    sets = DATA_SETS.get(data, ()) if data else SETS
    what = f"{data} is no body whose joints we know" if data not in DATA_SETS and data else ""
    return Detections(people, sets, what=what, named_by="frames" if counted else "file")
