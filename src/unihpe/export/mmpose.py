"""MMPose's JSON: what its demos write of pictures and videos."""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from unihpe.body.skeleton import Skeleton
from unihpe.errors import InputError
from unihpe.export.coco import keypoints_of, track_of
from unihpe.export.results import Results
from unihpe.io.files import write_text

DATA_SETS = {"human36m17": "h36m", "coco17": "coco", "halpe26": "halpe26", "mpii16": "mpii"}


def write_mmpose(path: Path, results: Results) -> None:
    """Write people as instances of frames, counted from 1: 2D in pixels, and `keypoints_3d` in mm.

    InputError for a joint set that MMPose does not have.
    """
    if results.skeleton.name not in DATA_SETS:
        own = ", ".join(DATA_SETS)
        raise InputError(f"{path.name}: MMPose has no {results.skeleton.name}; take .to of {own}")
    frames = results.image if results.frame is None else results.frame.tolist()
    numbered = enumerate(groupby(range(len(results)), lambda n: frames[n]), 1)
    info = [
        {
            "frame_id": number if results.frame is None else int(frame) + 1,
            "instances": [_instance(results, n) for n in rows],
        }
        for number, (frame, rows) in numbered
    ]
    content = {"meta_info": _meta(results.skeleton), "instance_info": info}
    write_text(path, json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


def _instance(results: Results, n: int) -> dict[str, Any]:
    points, scores = keypoints_of(results, n)
    places = np.round(results.absolute[n].double().numpy(), 3).astype(object)
    places[~results.absolute[n].isfinite().numpy()] = None
    made: dict[str, Any] = {"keypoints": points, "keypoint_scores": scores}
    made |= {"keypoints_3d": places.tolist(), "image": results.image[n]}
    if results.boxes is not None and bool(results.boxes[n].isfinite().all()):
        made["bbox"] = [np.round(results.boxes[n].double().numpy(), 2).tolist()]
    if results.is_clip:
        made["track_id"] = track_of(results, n)
    return made


def _meta(skeleton: Skeleton) -> dict[str, Any]:
    return {
        "dataset_name": DATA_SETS[skeleton.name],
        "num_keypoints": len(skeleton),
        "keypoint_id2name": {str(n): joint for n, joint in enumerate(skeleton.joints)},
        "keypoint_name2id": {joint: n for n, joint in enumerate(skeleton.joints)},
        "flip_indices": list(skeleton.mirror),
        "num_skeleton_links": len(skeleton.bones),
        "skeleton_links": [list(bone) for bone in skeleton.bones],
    }
