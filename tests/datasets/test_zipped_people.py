"""People in zip files of photographs, with joints of their own set, read in place."""

import json
import zipfile
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from unihpe.body.skeleton import get_skeleton
from unihpe.cli import app
from unihpe.datasets.coco.source import MADE, CocoSource, read_annotations
from unihpe.datasets.settings import DataSettings, Part, open_source
from unihpe.errors import InputError
from unihpe.runs.label import label_pictures

COCO = get_skeleton("coco17")
LSP = get_skeleton("lsp14")
OURS = get_skeleton("human36m17")
NUMBERS = (23, 24, 25, 48)


def picture(number, size=(120, 160)):
    stream = BytesIO()
    Image.new("RGB", size, (number, 90, 30)).save(stream, "PNG")
    return stream.getvalue()


def annotations(joints=LSP.joints, lost=()):
    notes, images = [], []
    for n, number in enumerate(NUMBERS):
        images.append({"id": n, "file_name": f"im{number:05d}.png", "width": 120, "height": 160})
        marks = []
        for k, name in enumerate(LSP.joints):
            marks += [0, 0, 0] if name in lost else [20.0 + 5 * k, 30.0 + 6 * k, 2]
        notes.append(
            {"id": n, "image_id": n, "bbox": [15, 25, 80, 100], "iscrowd": 0, "keypoints": marks}
        )
    person = {"id": 1, "name": "person", "keypoints": list(joints)}
    return {"images": images, "annotations": notes, "categories": [person]}


@pytest.fixture
def archive(tmp_path):
    return write(tmp_path / "lspet.zip", annotations(lost=("right_wrist",)))


def write(path, content, pictures=NUMBERS):
    with zipfile.ZipFile(path, "w") as file:
        for number in pictures:
            file.writestr(f"images/im{number:05d}.png", picture(number))
        file.writestr("annotations.json", json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("split", "numbers"), [("train", {23, 25}), ("test", {24, 48}), (None, set(NUMBERS))]
)
def test_a_zip_file_has_its_own_joints_and_splits(archive, split, numbers):
    people = read_annotations(archive, split)
    assert people.joints is LSP and {int(p.name[2:7]) for p in people.pictures} == numbers
    source = CocoSource(people)
    frames = source.read(torch.arange(len(source)), torch.Generator())
    middle = frames.image[:, :, 120:136, 90:100].float().mean((2, 3))
    seen = {round(float(level)) for level in middle[:, 0]}
    assert seen == numbers and frames.image.shape[1:] == (3, 256, 192)
    knee, wrist, head = (OURS.index(j) for j in ("left_knee", "right_wrist", "head"))
    own = LSP.index("left_knee")
    assert frames.keypoints[0, knee].tolist() == [20 + 5 * own, 30 + 6 * own]
    assert frames.confidence[0, wrist] == 0 and frames.keypoints[0, wrist].isnan().all()
    assert frames.confidence[0, head] == 0  # it is made of another's name


def test_joints_are_made_of_others_where_it_is_asked(archive):
    settings = DataSettings(name="coco", root=str(archive), made_joints=True)
    source = open_source(settings, Part("train"))
    frames = source.read(torch.arange(2), torch.Generator())
    assert all(frames.confidence[0, OURS.index(name)] == 1 for name in MADE)
    assert frames.confidence[0, OURS.index("nose")] == 0  # too rough
    hips = [LSP.index(name) for name in ("left_hip", "right_hip")]
    x = sum(20 + 5 * k for k in hips) / 2
    assert float(frames.keypoints[0, OURS.index("pelvis"), 0]) == pytest.approx(x)
    blind = source.without_pictures().read(torch.arange(2), torch.Generator())
    assert blind.image is None and torch.equal(blind.confidence, frames.confidence)


def test_broken_zip_files_are_told(tmp_path):
    (tmp_path / "no.zip").write_bytes(b"PK no")
    with pytest.raises(InputError, match=r"no\.zip: cannot be read as a zip file"):
        read_annotations(tmp_path / "no.zip")
    odd = write(tmp_path / "odd.zip", annotations(joints=("left_tail", *LSP.joints[1:])))
    with pytest.raises(InputError, match="its joints are of no known set: left_tail"):
        read_annotations(odd)
    half = write(tmp_path / "half.zip", annotations(), pictures=NUMBERS[:2])
    assert read_annotations(half).notes == ("2 people without picture left out",)


def looks(monkeypatch):
    """Looks of a network that sees two joints elsewhere: a knee in one mirror, a wrist in both."""
    asked = []

    def look(pictures, boxes, device, room):
        asked.append((len(pictures), room))
        joints = np.tile([40.0, 60.0], (len(boxes), 17, 1)) + np.arange(17)[:, None]
        scores = np.full((len(boxes), 17), 0.8)
        if len(asked) % 2 == 0:  # in a mirror: the picture is 120 wide
            assert all(picture.shape == (160, 120, 3) for picture in pictures)
            np.testing.assert_allclose(boxes[:, [0, 2]], [[25, 105]] * len(boxes))
            joints = joints[:, list(COCO.mirror)] * [-1, 1] + [120, 0]
            joints[:, COCO.index("right_wrist")] += 30  # the left one's mirror
            if room > 1.2:
                joints[:, COCO.index("right_knee")] += 30
                scores[:, COCO.index("right_ankle")] = 0.1
        return joints, scores

    monkeypatch.setattr("unihpe.people.label.keypoints_in_each", look)
    return asked


def test_labels_are_trained_on_where_they_lie(tmp_path, archive, monkeypatch):
    """Labels name the zip file, whose pictures stay in it; a joint counts where most looks agree,
    and its place and score are those of these."""
    asked = looks(monkeypatch)
    out = tmp_path / "labels" / "lspet.json"
    result = CliRunner().invoke(app, ["data", "label", str(archive), "-o", str(out)])
    assert result.exit_code == 0 and "4 people" in result.output
    assert asked == [(4, room) for room in (1.15, 1.15, 1.35, 1.35)], "all at once"
    people = read_annotations(out, "train")
    assert len(people) == 2 and people.joints.name == "coco17"
    lost = people.confidence[0] == 0
    assert [name for name, own in zip(COCO.joints, lost, strict=True) if own] == ["left_wrist"]
    assert people.keypoints[0, 5].tolist() == [45, 65]
    knee = COCO.index("left_knee")
    assert people.keypoints[0, knee].tolist() == [40 + knee, 60 + knee]
    assert people.corners[0].tolist() == [15, 25, 95, 125]
    assert CocoSource(people).read(torch.arange(1), torch.Generator()).image is not None
    content = json.loads(out.read_text())
    assert [note["id"] for note in content["annotations"]] == [0, 1, 2, 3]
    scores = content["annotations"][3]["keypoint_scores"]
    assert scores[knee] == scores[0] == 0.8 and scores[COCO.index("left_wrist")] == 0


def test_people_are_labelled_some_at_a_time(tmp_path, archive, monkeypatch):
    """As the memory allows; what is wrong with one picture costs the others nothing."""
    asked = looks(monkeypatch)
    monkeypatch.setattr("unihpe.runs.label.AT_ONCE", 2)
    boxes = {f"im{n:05d}.png": [[15, 25, 95, 125]] for n in NUMBERS}
    boxes |= {"im00024.png": [[15, 25, 95, 125], [150, 5, 170, 9]], "im00025.png": []}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    out, told = tmp_path / "labels.json", []
    count, skipped = label_pictures(archive, out, tmp_path / "boxes.json", done=told.append)
    assert count == 2 and told == [1, 2, 3, 4]
    assert len(skipped) == 1 and skipped[0].startswith("im00024.png: box 1")
    assert asked == [(2, room) for room in (1.15, 1.15, 1.35, 1.35)]
    content = json.loads(out.read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    assert [names[note["image_id"]] for note in content["annotations"]] == [
        "im00023.png",
        "im00048.png",
    ]
    assert all(note["num_keypoints"] == 16 for note in content["annotations"])
    monkeypatch.setattr("unihpe.runs.label.MEMORY", 0)
    asked.clear()
    label_pictures(archive, out)
    assert [people for people, _ in asked] == [1] * 4 * len(NUMBERS)


def test_nothing_to_label_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    for place, said in ((tmp_path / "empty", "without pictures"), (tmp_path / "no", "no such")):
        result = CliRunner().invoke(app, ["data", "label", str(place), "-o", str(tmp_path / "x")])
        assert isinstance(result.exception, InputError) and said in str(result.exception)
