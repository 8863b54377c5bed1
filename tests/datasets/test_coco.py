"""COCO's annotations and photographs."""

import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from unihpe.body.boxes import box_from_corners, crop_matrix
from unihpe.body.prepare import prepare
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets.augment import Augmentation
from unihpe.datasets.coco.source import HIDDEN, VISIBLE, CocoSource, read_annotations
from unihpe.datasets.settings import Part, open_source
from unihpe.errors import InputError
from unihpe.recipe import load_recipe

COCO = get_skeleton("coco17")
OURS = get_skeleton("human36m17")


def person(number, image, **changes):
    """Everything marked, joint n at (100 + 5n, 60 + 4n); wrists hidden."""
    marks = [
        [100 + 5 * n, 60 + 4 * n, 1 if "wrist" in joint else 2]
        for n, joint in enumerate(COCO.joints)
    ]
    note = {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "iscrowd": 0,
        "area": 900.0,
        "num_keypoints": 17,
    }
    return note | {"keypoints": [*chain(*marks)], "bbox": [90.0, 50.0, 110.0, 90.0]} | changes


def write(
    folder: Path, notes, pictures=("a.jpg", "b ü.jpg"), place="images", name="person_keypoints.json"
):
    rng = np.random.default_rng(0)
    (folder / place).mkdir(parents=True, exist_ok=True)
    for file in pictures:
        Image.fromarray(rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)).save(
            folder / place / file, quality=98
        )
    images = [
        {"id": n, "file_name": file, "width": 320, "height": 240}
        for n, file in enumerate(("a.jpg", "b ü.jpg"))
    ]
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps({"images": images, "annotations": notes, "categories": []}))
    return folder


def test_people_are_read_as_they_are_marked(tmp_path):
    found = read_annotations(write(tmp_path / "spaces and ü", [person(1, 0), person(2, 1)]))
    assert len(found) == 2 and found.pictures[1].name == "b ü.jpg" and found.notes == ()
    assert found.keypoints[0, 3].tolist() == [115, 72] and found.corners[0].tolist() == [
        90,
        50,
        200,
        140,
    ]
    wrist, hip = COCO.joints.index("left_wrist"), COCO.joints.index("left_hip")
    assert found.confidence[0, wrist] == HIDDEN and found.confidence[0, hip] == VISIBLE


@pytest.mark.parametrize(
    ("place", "name", "split"),
    [
        ("train2017", "annotations/person_keypoints_train2017.json", "train"),
        ("images/val2017", "annotations/person_keypoints_val2017.json", "test"),
        (".", "person_keypoints.json", "val"),
        ("images", "person_keypoints_mine.json", None),
    ],
)
def test_layouts_are_found(tmp_path, place, name, split):
    assert (
        len(read_annotations(write(tmp_path, [person(1, 0)], place=place, name=name), split)) == 1
    )
    assert len(read_annotations(tmp_path / name)) == 1


def test_who_cannot_be_used_is_counted(tmp_path):
    few, face = (
        [*chain(*([100.0 + n, 60.0, 2 if n < seen else 0] for n in range(17)))] for seen in (3, 5)
    )
    notes = [
        person(1, 0),
        person(2, 0, iscrowd=1),
        person(3, 0, keypoints=few),
        person(4, 0, bbox=[3.0, 4.0, 0.0, 9.0]),
        person(5, 1),
        person(6, 0, keypoints=face),
    ]
    found = read_annotations(write(tmp_path, notes, pictures=("a.jpg",)))
    assert len(found) == 2
    assert [note.split()[0] for note in found.notes] == [
        "1"
    ] * 4 and "without picture" in found.notes[-1]
    source = CocoSource(found)
    assert len(source) == 1 and "face" in source.annotations.notes[-1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keypoints": [1.0, 2.0, 2] * 16}, "48 keypoint numbers"),
        ({"keypoints": [float("nan"), 2.0, 2] * 17}, "not finite"),
        ({"keypoints": [1e300, 2.0, 2] * 17}, "not finite"),  # in the single precision that is kept
        ({"bbox": [0, 0, 1e300, 100]}, "not finite"),
        ({"keypoints": [1.0, 2.0, 7] * 17}, "visibility other than"),
        ({"bbox": [1.0, 2.0, 3.0]}, "not COCO's person keypoints"),
        ({"image_id": 99}, "no 99 in it"),
    ],
)
def test_broken_annotations_are_refused_in_one_line(tmp_path, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        read_annotations(write(tmp_path, [person(1, 0) | changes]))
    assert "\n" not in str(caught.value) and "person_keypoints.json" in str(caught.value)


def test_missing_and_cut_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no person_keypoints"):
        read_annotations(tmp_path)
    folder = write(tmp_path, [person(1, 0)])
    (folder / "images" / "a.jpg").unlink()
    (folder / "images" / "b ü.jpg").unlink()
    with pytest.raises(InputError, match="pictures of person_keypoints.json are not there"):
        read_annotations(folder)
    (folder / "person_keypoints.json").write_text('{"images": [')
    with pytest.raises(InputError, match="not COCO's person keypoints"):
        read_annotations(folder)
    write(tmp_path, [person(1, 0, iscrowd=1)])
    with pytest.raises(InputError, match="1 in a crowd"):
        read_annotations(folder)


def test_joints_that_coco_lacks_are_missing_not_made_up(tmp_path):
    source = CocoSource(read_annotations(write(tmp_path, [person(1, 0)])))
    frames = source.read(torch.tensor([0]), torch.Generator().manual_seed(0))
    there = {
        joint for joint, seen in zip(OURS.joints, frames.confidence[0], strict=True) if seen > 0
    }
    assert there == {joint for joint in OURS.joints if joint in COCO.joints} and len(there) == 13
    assert bool(torch.isnan(frames.pose).all())
    batch = prepare(frames, source.skeleton)
    assert batch.image.shape == (1, 3, 256, 192) and bool(torch.isfinite(batch.keypoints).all())


def test_crop_and_keypoints_agree(tmp_path):
    folder = write(tmp_path, [person(1, 0)])
    picture = np.zeros((240, 320, 3), np.uint8)
    ankle = COCO.joints.index("left_ankle")
    x, y = 100 + 5 * ankle, 60 + 4 * ankle
    picture[y - 1 : y + 1, x - 1 : x + 1] = 255  # its middle is the corner (x, y)
    Image.fromarray(picture).save(folder / "images" / "a.png")
    content = json.loads((folder / "person_keypoints.json").read_text())
    content["images"][0]["file_name"] = "a.png"
    (folder / "person_keypoints.json").write_text(json.dumps(content))
    source = CocoSource(read_annotations(folder))
    frames = source.read(torch.tensor([0]), torch.Generator().manual_seed(0))
    bright = frames.image[0].float().mean(0)
    rows, columns = torch.meshgrid(torch.arange(256) + 0.5, torch.arange(192) + 0.5, indexing="ij")
    place = torch.stack([(bright * columns).sum(), (bright * rows).sum()]) / bright.sum()
    matrix = crop_matrix(
        box_from_corners(torch.tensor([90.0, 50.0, 200.0, 140.0])).double().numpy(), 192, 256
    )
    wanted = matrix[:, :2] @ np.array([x, y]) + matrix[:, 2]
    np.testing.assert_allclose(place.numpy(), wanted, atol=0.05)


def test_mirroring_swaps_the_confidence_too(tmp_path):
    marks = [
        [100 + 5 * n, 60 + 4 * n, 1 if joint == "left_wrist" else 2]
        for n, joint in enumerate(COCO.joints)
    ]
    folder = write(tmp_path, [person(1, 0, keypoints=[*chain(*marks)])])
    still = Augmentation(
        flip=1.0,
        turned=0.0,
        scale=0.0,
        shift=0.0,
        colour=0.0,
        blurred=0.0,
        compressed=0.0,
        cut_out=0.0,
    )
    annotations = read_annotations(folder)
    plain, mirrored = (
        CocoSource(annotations, how).read(torch.tensor([0]), torch.Generator().manual_seed(0))
        for how in (None, still)
    )
    left, right = OURS.index("left_wrist"), OURS.index("right_wrist")
    assert plain.confidence[0, left] == HIDDEN and plain.confidence[0, right] == VISIBLE
    assert mirrored.confidence[0, right] == HIDDEN and mirrored.confidence[0, left] == VISIBLE
    torch.testing.assert_close(mirrored.keypoints[0, right, 0], 320 - plain.keypoints[0, left, 0])


def test_a_recipe_says_how_pictures_are_augmented(tmp_path):
    folder = write(tmp_path, [person(1, 0)])
    never = {name: f"data.augmentation.{name}=0.0" for name in Augmentation.model_fields}

    def read(*changes, view="random"):
        data = load_recipe("quick", ('data.name="coco"', f"data.root={folder}", *changes)).data
        return open_source(data, Part(training=view == "random")).read(
            torch.tensor([0]), torch.Generator().manual_seed(0)
        )

    plain, still = read(view="fixed"), read(*never.values())
    assert (
        torch.equal(still.box, plain.box)
        and (still.image.int() - plain.image.int()).abs().max() <= 1
    )
    mirrored = read(*(never | {"flip": "data.augmentation.flip=1.0"}).values())
    wrist = OURS.index("left_wrist"), OURS.index("right_wrist")
    assert mirrored.keypoints[0, wrist[0], 0] == 320 - plain.keypoints[0, wrist[1], 0]
    assert not torch.equal(read().image, plain.image)


def test_real_photographs(shared_data):
    source = CocoSource(read_annotations(shared_data / "photos"), Augmentation())
    assert len(source) > 150
    frames = source.read(torch.arange(8), torch.Generator().manual_seed(1))
    again = source.read(torch.arange(8), torch.Generator().manual_seed(1))
    assert torch.equal(frames.image, again.image) and frames.image.float().std() > 20
    prepare(frames, source.skeleton)


def test_a_copy_with_some_pictures_is_checked_for_what_is_there(tmp_path):
    from unihpe.datasets.check import check

    for split, pictures in (("train2017", ()), ("val2017", ("a.jpg", "b ü.jpg"))):
        write(
            tmp_path,
            [person(1, 0), person(2, 1)],
            pictures,
            split,
            f"annotations/person_keypoints_{split}.json",
        )
    report = check("coco", tmp_path)
    assert report["frames"] == 4 and report["problems"] == [] and report["partial"]
    assert report["pictures"] == {"looked_for": 4, "found": 2}
    assert (
        "partial: person_keypoints_train2017.json: 2 of 2 pictures are not there" in report["notes"]
    )


def test_check_and_contact_sheet(unihpe, tmp_path):
    folder = write(tmp_path, [person(1, 0), person(2, 1), person(3, 0, iscrowd=1)])
    options = ("--root", folder, "--json", tmp_path / "r.json", "--sheet", tmp_path / "sheet.png")
    code, text, _ = unihpe("data", "check", "coco", *options)
    report = json.loads((tmp_path / "r.json").read_text())
    assert (
        code == 0
        and report["frames"] == 2
        and report["pictures"] == {"looked_for": 2, "found": 2}
        and report["problems"] == []
    )
    assert report["joints_hidden"] == pytest.approx(2 / 17, abs=1e-3) and "in a crowd" in text
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 2 * 192 and np.asarray(sheet).std() > 10
    Image.new("RGB", (50, 50)).save(folder / "images" / "a.jpg")
    write_far = person(2, 1, bbox=[250.0, 200.0, 30.0, 30.0])
    content = json.loads((folder / "person_keypoints.json").read_text())
    content["annotations"] = [person(1, 0), write_far]
    (folder / "person_keypoints.json").write_text(json.dumps(content))
    code, text, _ = unihpe("data", "check", "coco", "--root", folder)
    assert (
        code == 1
        and "a.jpg is 50 × 50, its annotation says 320 × 240" in text
        and "only 50% of the joints" in text
    )
    code, _, error = unihpe("data", "check", "coco", "--root", tmp_path / "images")
    assert code == 2 and "no person_keypoints" in error
