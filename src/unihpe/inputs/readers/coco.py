"""COCO's annotations, and those of other sets in its layout."""

from typing import Any

from unihpe.body.skeleton import SKELETONS
from unihpe.inputs.detections import Detections, Person, as_row


def read_coco(content: Any, name: str) -> Detections:
    """COCO's annotations; their scores are visibilities: 0 missing, 1 hidden, 2 seen.

    People whom it boxes and says to have no keypoints are nobody's fault: they are counted only.
    """
    images = {image["id"]: image for image in content.get("images", [])}
    people, unmarked = [], 0
    for n, note in enumerate(map(as_row, content["annotations"])):
        if note.get("num_keypoints") == 0:
            unmarked += 1
            continue
        image = images.get(note.get("image_id"), {})
        size = (float(image["width"]), float(image["height"])) if "width" in image else None
        picture = str(image.get("file_name", note.get("image_id", f"row {n}")))
        people.append(Person(picture, str(note.get("id", n)), note.get("keypoints"), size=size))
    notes = (f"{unmarked} of its people are boxed only (num_keypoints 0)",) if unmarked else ()
    sets = [kind.get("keypoints") for kind in content.get("categories", [])]
    if (named := next(filter(None, sets), None)) is None:
        return Detections(people, ("coco17",), notes=notes)
    own = next((known for known, set_ in SKELETONS.items() if list(set_.joints) == named), None)
    what = f"its category names the joints {', '.join(map(str, named))}"
    return Detections(people, skeleton=own, what=what, notes=notes)
