"""COCO's annotations, and those of other sets in its layout."""

from typing import Any

from unihpe.body.skeleton import SKELETONS
from unihpe.inputs.detections import Detections, Person


def read_coco(content: Any, name: str) -> Detections:
    """COCO's annotations; visibility 0 is missing, 1 (hidden) and 2 (seen) are there.

    People whom it boxes and says to have no keypoints are nobody's fault: they are counted only.
    """
    images = {image["id"]: image for image in content.get("images", [])}
    people, unmarked = [], 0
    for note in content["annotations"]:
        if note.get("num_keypoints") == 0:
            unmarked += 1
            continue
        image = images.get(note["image_id"], {})
        size = (float(image["width"]), float(image["height"])) if "width" in image else None
        picture = str(image.get("file_name", note["image_id"]))
        joints = [x if n % 3 < 2 else float(x > 0) for n, x in enumerate(note.get("keypoints", []))]
        people.append(Person(picture, str(note["id"]), joints, size=size))
    notes = (f"{unmarked} of its people are boxed only (num_keypoints 0)",) if unmarked else ()
    named = next(
        (kind["keypoints"] for kind in content.get("categories", []) if kind.get("keypoints")), None
    )
    if named is None:
        return Detections(people, ("coco17",), notes=notes)
    own = next((known for known, set_ in SKELETONS.items() if list(set_.joints) == named), None)
    what = f"its category names the joints {', '.join(map(str, named))}"
    return Detections(people, skeleton=own, what=what, notes=notes)
