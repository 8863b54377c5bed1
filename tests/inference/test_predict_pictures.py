"""Pictures in, 2D and 3D out: units, boxes, broken files; an untrained model is good for that."""

import json
import shutil
from dataclasses import replace
from importlib import resources
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from figure import figure
from PIL import Image
from torch.testing import assert_close

import unihpe
from unihpe import load as unihpe_load
from unihpe.body.batch import Modality
from unihpe.datasets.packed import PackedPeople
from unihpe.errors import InputError
from unihpe.inputs.boxes import read_boxes
from unihpe.model.checkpoint import Card, save_checkpoint
from unihpe.people import find
from unihpe.recipe import Recipe, build_model, load_recipe
from unihpe.settings import parse


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    fields = load_recipe(
        "quick", ("model.embedding=64", "pose_scale=250.0", "keypoint_scale=0.3")
    ).model_dump()
    fields["model"]["image_encoder"] = {"kind": "hrnet_w18_small"}
    recipe = parse(Recipe, fields, "test")
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_checkpoint(
        path,
        build_model(recipe).state_dict(),
        Card(skeleton="human36m17", recipe=recipe.model_dump(mode="json")),
    )
    return path


@pytest.fixture(scope="module")
def model(checkpoint):
    return unihpe.load(checkpoint)


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)


def person():
    """A rendered person of the package, RGB (256, 192, 3)."""
    pack = resources.files("unihpe").joinpath("checkpoints", "people.pack")
    return PackedPeople(Path(str(pack)))[0].picture


def test_people_are_found(model):
    """Two people beside each other, and the answers are those for their boxes."""
    scene = np.full((400, 700, 3), 90, np.uint8)
    for left, top in ((60, 100), (420, 40)):
        scene[top : top + 256, left : left + 192] = person()
    found = find(scene)
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    wanted = np.array([[156.0, 228.0], [516.0, 168.0]])
    assert_close(middles[middles[:, 0].argsort()], wanted, atol=20.0, rtol=0.0)
    assert torch.equal(model.predict(scene).pose, model.predict(scene, found.boxes).pose)


def test_nobody_is_found_and_that_is_said(unihpe, model, tmp_path, checkpoint, photo):
    with pytest.raises(InputError, match='nobody found in the picture: give boxes, or boxes="wh'):
        model.predict(photo)
    assert len(model.predict(photo, "whole")) == 1
    (folder := tmp_path / "in").mkdir()
    Image.fromarray(photo).save(folder / "a.png")
    options = ("--checkpoint", checkpoint, "--samples", 0, "-o", tmp_path / "out")
    for source in (folder, folder / "a.png"):
        code, text, error = unihpe("predict", source, *options)
        assert code == 1 and f"Nobody found in {source.name}." in text
        assert error == "left out: a.png: nobody found in it; `--boxes whole` takes the picture\n"
        assert not (tmp_path / "out").exists()
    Image.fromarray(person()).save(folder / "b.png")
    (folder / "c.png").write_bytes(b"no picture")
    code, text, error = unihpe("predict", folder, *options)
    assert code == 1 and "1 person in 1 picture" in text
    assert "a.png: nobody found" in error and "c.png: not a picture" in error
    (folder / "b.png").unlink()
    (folder / "a.png").unlink()
    code, _, error = unihpe("predict", folder, *options)  # one that cannot be read is no empty one
    assert code == 2 and "c.png: not a picture" in error
    Image.fromarray(photo).save(folder / "a.png")
    code, text, _ = unihpe("predict", folder / "a.png", "--boxes", "whole", *options)
    assert code == 0 and "1 person in 1 picture" in text


def test_people_who_show_no_body_are_left_out(unihpe, model, tmp_path, monkeypatch):
    untrained, model = model, unihpe_load("shipped")
    scene = np.full((400, 700, 3), 90, np.uint8)
    for left, top in ((60, 100), (420, 40)):
        scene[top : top + 256, left : left + 192] = person()
    Image.fromarray(scene).save(tmp_path / "two.png")
    whole = model.predict(scene)
    options = ("--samples", 0, "-o", tmp_path / "out")

    def faces(results, given):
        """The answer with these people's trunks out of sight."""
        confidence = results.confidence.clone()
        trunk = [n for n, j in enumerate(results.joint_names) if j.endswith(("shoulder", "hip"))]
        for row in given:
            confidence[row, trunk] = 0.2
        return replace(results, confidence=confidence)

    answer = type(model).answer
    monkeypatch.setattr(type(model), "answer", lambda *args: faces(answer(*args), [0]))
    left = model.predict(scene)
    assert left.person == ("1",) and torch.equal(left.pose, whole.pose[1:])
    assert len(model.predict(scene, find(scene).boxes)) == 2  # who gives boxes knows what is there
    code, text, error = unihpe("predict", tmp_path / "two.png", *options)
    told = "left out: two.png: person 0 shows neither a shoulder nor a hip; `--boxes` keeps"
    assert code == 1 and "1 person in 1 picture" in text and error.startswith(told)
    shutil.rmtree(tmp_path / "out")
    monkeypatch.setattr(type(model), "answer", lambda *args: faces(answer(*args), [0, 1]))
    with pytest.raises(InputError, match="nobody found in the picture"):
        model.predict(scene)
    code, text, error = unihpe("predict", tmp_path / "two.png", *options)
    assert code == 1 and "Nobody found in two.png." in text and error.count("left out") == 2
    assert not (tmp_path / "out").exists()
    assert len(untrained.predict(scene)) == 2  # its confidences say nothing


def test_2d_comes_in_pixels_of_the_picture(model, photo):
    boxes = torch.tensor([[20.0, 30.0, 120.0, 230.0], [200.0, 40.0, 380.0, 280.0]])
    result = model.predict(photo, boxes, samples=4)
    assert result.pose.shape == (2, 17, 3) and result.samples.shape == (4, 2, 17, 3)
    assert (result.pose[:, 0] == 0).all() and torch.isfinite(result.translation).all()
    centre = result.keypoints.mean(1)  # an untrained decoder answers near the middle of the box
    assert (centre > boxes[:, :2] - 60).all() and (centre < boxes[:, 2:] + 60).all()
    again = model.predict(photo, boxes[1])
    assert_close(again.keypoints[0], result.keypoints[1], atol=1e-2, rtol=0)
    assert result.focal_source.startswith("assumed") and result.focal[0].item() == pytest.approx(
        500.0
    )


def test_the_crop_is_what_the_box_says(model, photo, monkeypatch):
    """A box moved with the picture's content gives the same answer, moved."""
    wide = np.zeros((400, 600, 3), np.uint8)
    wide[60:360, 100:500] = photo
    box = torch.tensor([100.0, 60.0, 300.0, 260.0])
    here, there = (
        model.predict(photo, box),
        model.predict(wide, box + torch.tensor([100.0, 60.0, 100.0, 60.0])),
    )
    seen = []
    original = model.model.encode_image
    monkeypatch.setattr(
        model.model, "encode_image", lambda batch: (seen.append(batch.image), original(batch))[1]
    )
    model.predict(photo, box)
    model.predict(wide, box + torch.tensor([100.0, 60.0, 100.0, 60.0]))
    difference = (seen[0].int() - seen[1].int()).abs()
    assert difference.float().mean() < 0.2 and modality_ok(here, there)


def test_the_flip_test_answers_a_mirrored_picture_with_the_mirrored_person(model, photo):
    """Without it an untrained model does not."""
    box, skeleton = torch.tensor([40.0, 20.0, 180.0, 260.0]), model.skeleton
    low, high = box[0].item(), box[2].item()
    other = torch.tensor([400 - high, 20.0, 400 - low, 260.0])
    plain, mirror = (model.predict(p, b) for p, b in ((photo, box), (photo[:, ::-1], other)))
    assert (skeleton.mirrored(plain.pose) - mirror.pose).abs().max() > 1
    plain, mirror = (
        model.predict(p, b, flip=True) for p, b in ((photo, box), (photo[:, ::-1], other))
    )
    assert_close(skeleton.mirrored(plain.pose), mirror.pose, atol=0.5, rtol=0)
    middle = torch.tensor([200.0, 0.0])
    assert_close(
        skeleton.mirrored(plain.keypoints - middle) + middle, mirror.keypoints, atol=0.1, rtol=0
    )
    assert plain.estimate.endswith("mean with the mirrored one")

    points = torch.rand(2, 17, 2, generator=torch.Generator().manual_seed(3)) * 200 + 50
    seen = skeleton.mirrored(points - middle) + middle
    lifted, again = (model.lift(k, (400, 300), "human36m17", flip=True) for k in (points, seen))
    assert_close(skeleton.mirrored(lifted.pose), again.pose, atol=0.05, rtol=0)
    both, mirrored = (
        model.predict(p, b[None], k[:1], skeleton="human36m17", flip=True)
        for p, b, k in ((photo, box, points), (photo[:, ::-1], other, seen))
    )
    assert both.paths.keys() == {"image", "2d", "fused"}
    for name, pose in both.paths.items():
        assert_close(skeleton.mirrored(pose), mirrored.paths[name], atol=0.5, rtol=0)


def modality_ok(here, there):
    """The 2D differs by the move and by the box token, which knows where the box lies."""
    move = there.keypoints.mean((0, 1)) - here.keypoints.mean((0, 1))
    return bool((move - torch.tensor([100.0, 60.0])).abs().max() < 40) and Modality.IMAGE == 0


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([[10.0, 10.0, 5.0, 20.0]], "right > left"),
        ([[float("nan"), 0.0, 5.0, 5.0]], "finite"),
        ([[500.0, 10.0, 600.0, 20.0]], "outside the 400 × 300 picture"),
        ([[1.0, 2.0, 3.0]], "must be"),
        (np.zeros((0, 4)), "must be"),
        ([], r"must be .* not \(0,\)"),
        ([[0, 0, 9, 9], [1, 2, 3]], "boxes must be an array of numbers"),
        ([["a", 0, 1, 2]], "boxes must be an array of numbers"),
        ([[0, 0, 9, 9], [10, 10, 10.00001, 20]], "box 1 is 9.54e-06 × 10 pixels: boxes are pixels"),
        ([[0.1, 0.2, 0.7, 0.9]], "at least 1 × 1"),  # shares of the picture
        ([[0, 0, 9, 9], [0, 0, 1e20, 1e20]], "box 1 reaches more than 20 pictures away"),
        ([[-2e38, -2e38, 2e38, 2e38]], "more than 20 pictures away"),
    ],
)
def test_boxes_that_are_none(model, photo, boxes, message):
    with pytest.raises(InputError, match=message):
        model.predict(photo, boxes)


def test_boxes_and_focal_lengths_at_the_ends_of_what_is_taken(model, photo):
    for box in ([10.3, 20.7, 11.3, 21.7], [-7000.0, -5000.0, 7000.0, 5000.0]):
        assert torch.isfinite(model.predict(photo, box).absolute).all()
    for focal in (4.0, 4e5):
        assert torch.isfinite(model.predict(photo, "whole", focal=focal).absolute).all()
    for focal in (3.9, 4.1e5, 1e-30, 1e30, 1e39, float("inf")):
        with pytest.raises(InputError, match="focal length must be 4 to 400000 pixels"):
            model.predict(photo, "whole", focal=focal)


def test_joints_in_a_row_or_on_two_pixels_make_a_box(model, photo):
    row = standing(20, 30)
    row[:, 1] = 100.0
    pair = torch.full((17, 2), 200.0) + torch.arange(17)[:, None] * 0.02
    result = model.predict(photo, keypoints=torch.stack([row, pair]))
    assert torch.isfinite(result.pose).all()


def test_pictures_that_are_none(model, photo):
    for picture in (photo.astype(np.float32), photo[..., 0], np.zeros((0, 5, 3), np.uint8)):
        with pytest.raises(InputError, match="uint8 RGB"):
            model.predict(picture)
    for picture in (Image.fromarray(photo), photo.tolist(), None, 7):
        with pytest.raises(InputError, match=r"a picture is a path, .* not (Image|list|None|int)"):
            model.predict(picture)
    assert model.predict(photo[:1, :1], "whole").pose.shape == (1, 17, 3)  # one pixel is a picture
    assert unihpe.load
    assert len(repr(model)) < 2000


def test_a_folder_with_broken_files(unihpe, tmp_path, checkpoint, photo):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    Image.fromarray(photo).save(folder / "a.png")
    Image.fromarray(photo).save(folder / "b.jpg")
    (folder / "c.jpg").write_bytes((folder / "b.jpg").read_bytes()[:100])
    (folder / "d.png").write_bytes(b"")
    boxes = {
        "a.png": [[10, 10, 100, 200], [150, 20, 300, 280]],
        "b.jpg": [[0, 0, 400, 300]],
        "c.jpg": [[0, 0, 9, 9]],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    options = ("--checkpoint", checkpoint, "-o", out, "--samples", 2)
    code, text, error = unihpe("predict", folder, "--boxes", tmp_path / "boxes.json", *options)
    assert (
        code == 1
        and "3 people in 2 pictures" in text
        and "c.jpg" in error
        and "d.png: no box" in error
    )
    found = json.loads((out / "poses.json").read_text())
    assert [(p["image"], p["person"]) for p in found["people"]] == [
        ("a.png", "0"),
        ("a.png", "1"),
        ("b.jpg", "0"),
    ]
    assert (out / "poses.png").is_file() and (out / "poses.html").is_file()
    code, _, error = unihpe("predict", folder / "d.png", *options)
    assert code == 2 and "no picture to predict from" in error
    code, _, error = unihpe("predict", *options)
    assert code == 2 and "or both" in error


def test_the_three_kinds_of_evidence_share_a_space(model, photo):
    pose = torch.randn(2, 17, 3) * 200
    found = model.embed(picture=photo, boxes=[[10, 10, 90, 200], [50, 20, 300, 290]])
    assert found.shape == model.embed(pose=pose).shape == (2, 64)
    assert_close(found.norm(dim=1), torch.ones(2))
    with pytest.raises(InputError, match="one of the three"):
        model.embed(picture=photo, pose=pose)
    with pytest.raises(InputError, match="focal length"):
        model.predict(photo, "whole", focal=float("nan"))


def standing(left: float, top: float) -> torch.Tensor:
    """COCO keypoints of somebody 100 pixels wide and 200 high."""
    body = torch.tensor(figure("coco17"), dtype=torch.float32)
    low, high = body.amin(0), body.amax(0)
    return (body - low) / (high - low) * torch.tensor([100.0, 200.0]) + torch.tensor([left, top])


def test_picture_and_keypoints_give_all_three_poses(model, photo):
    keypoints = torch.stack([standing(20, 30), standing(200, 60)])
    result = model.predict(photo, keypoints=keypoints, samples=2)
    lifted = model.lift(keypoints, (400, 300))
    joints = result.keypoints  # the model's own: the box is round these
    seen = model.predict(photo, torch.cat([joints.amin(1), joints.amax(1)], dim=1))
    assert set(result.paths) == {"image", "2d", "fused"} and result.samples.shape[:2] == (2, 2)
    assert_close(result.paths["image"], seen.pose)
    # the lifting path looks through the same box as the picture's
    assert_close(result.pose, result.paths["2d"])
    assert_close(result.pose, lifted.pose, atol=30.0, rtol=0)
    assert not torch.allclose(result.paths["fused"], result.paths["2d"])
    assert_close(result.keypoints, lifted.keypoints)
    with pytest.raises(InputError, match="1 boxes and keypoints of 2 people"):
        model.predict(photo, [[0, 0, 100, 100]], keypoints)
    with pytest.raises(InputError, match="joints seen"):
        model.predict(
            photo, keypoints=torch.where(torch.arange(17)[:, None] < 14, torch.nan, keypoints)
        )


def test_a_folder_with_keypoints(unihpe, tmp_path, checkpoint, photo):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(photo).save(folder / name)
    marks = torch.cat([standing(20, 30), torch.full((17, 1), 2.0)], dim=1).flatten().tolist()
    note = {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "keypoints": marks,
        "bbox": [20, 30, 100, 200],
    }
    image = {"id": 1, "file_name": "a.png", "width": 400, "height": 300}
    (tmp_path / "coco.json").write_text(json.dumps({"images": [image], "annotations": [note]}))
    options = (
        "--keypoints",
        tmp_path / "coco.json",
        "--checkpoint",
        checkpoint,
        "-o",
        out,
        "--samples",
        0,
    )
    code, text, error = unihpe("predict", folder, *options)
    assert code == 1 and "1 person in 1 picture" in text and "b.png: no keypoints" in error
    person = json.loads((out / "poses.json").read_text())["people"][0]
    assert (
        set(person["paths"]) == {"image", "2d", "fused"} and person["paths"]["2d"] == person["pose"]
    )
    with np.load(out / "poses.npz") as arrays:
        assert arrays["pose_fused"].shape == (1, 17, 3)
    np.save(tmp_path / "points.npy", standing(20, 30).numpy())
    options = ("--keypoints", tmp_path / "points.npy", "--skeleton", "coco17", *options[2:])
    code, text, _ = unihpe(
        "predict", folder / "b.png", *options
    )  # a file that names no picture is about this one
    assert code == 0 and "1 person in 1 picture" in text


def three_people(tmp_path, photo):
    """A folder of a.png and b.png, and COCO's file of them.

    Person 7 has one joint, 8 and 9 are whole, 3 is in a picture of its own.
    """
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(photo).save(folder / name)
    notes = []
    for n, (left, image) in {7: (20, 1), 8: (150, 1), 9: (250, 1), 3: (20, 3)}.items():
        marks = torch.cat([standing(left, 60), torch.full((17, 1), 2.0)], dim=1)
        marks[1 if n in (7, 3) else 17 :] = 0
        box = [left, 60, 100, 200]
        notes.append(
            {"id": n, "image_id": image, "keypoints": marks.flatten().tolist(), "bbox": box}
        )
    images = [
        {"id": n, "file_name": f"{'xab c'[n]}.png", "width": 400, "height": 300} for n in (1, 2, 4)
    ]
    images.append({"id": 3, "file_name": "elsewhere.png", "width": 400, "height": 300})
    (tmp_path / "coco.json").write_text(json.dumps({"images": images, "annotations": notes}))
    return folder, tmp_path / "coco.json"


def test_who_is_left_out_beside_a_picture_is_listed_and_the_others_keep_their_names(
    unihpe, model, tmp_path, checkpoint, photo
):
    folder, coco = three_people(tmp_path, photo)
    options = ("--keypoints", coco, "--checkpoint", checkpoint, "--samples", 0)
    for boxes in ((), ("--boxes", coco)):
        out = tmp_path / f"out{len(boxes)}"
        code, text, error = unihpe("predict", folder / "a.png", *options, *boxes, "-o", out)
        assert code == 1 and "2 people in 1 picture" in text, error
        assert error.splitlines() == [
            "left out: a.png, person 7: 1 joints seen, at least 4 are needed"
        ]
        people = json.loads((out / "poses.json").read_text())["people"]
        assert [person["person"] for person in people] == ["8", "9"]
    with np.load(out / "poses.npz") as arrays:
        assert arrays["person"].tolist() == ["8", "9"]
        # each seen through the box of its own
        for n, left in enumerate((150, 250)):
            alone = model.predict(photo, [[left, 60, left + 100, 260]], standing(left, 60))
            np.testing.assert_allclose(arrays["pose_image"][n], alone.paths["image"][0], atol=0.5)


def test_nobody_elsewhere_is_listed_and_boxes_of_others_are_refused(
    unihpe, tmp_path, checkpoint, photo
):
    folder, coco = three_people(tmp_path, photo)
    options = (
        "--keypoints",
        coco,
        "--checkpoint",
        checkpoint,
        "--samples",
        0,
        "-o",
        tmp_path / "out",
    )
    code, _, error = unihpe("predict", folder, *options)
    assert (
        code == 1
        and "person 7" in error
        and "b.png: no keypoints" in error
        and "elsewhere" not in error
    )
    (tmp_path / "boxes.json").write_text('{"a.png": [[0, 0, 50, 90], [0, 0, 50, 90]]}')
    code, _, error = unihpe(
        "predict", folder / "a.png", *options, "--boxes", tmp_path / "boxes.json"
    )
    assert code == 2 and "a.png: 2 boxes and keypoints of 3 people" in error
    content = json.loads(coco.read_text())
    content["annotations"] = content["annotations"][:1]
    coco.write_text(json.dumps(content))
    code, _, error = unihpe("predict", folder / "a.png", *options)
    assert (
        code == 2
        and "nobody to lift: a.png, person 7: 1 joints seen" in error
        and error.count("\n") == 1
    )


def test_names_of_people_are_one_each(model, photo):
    boxes = [[0, 0, 50, 90], [60, 0, 120, 90]]
    assert model.predict(photo, boxes, person=("x", "y")).person == ("x", "y")
    with pytest.raises(InputError, match="1 names of people for 2 people"):
        model.predict(photo, boxes, person=("x",))


def test_one_bad_picture_or_none_found_in_it_does_not_end_a_folder(
    unihpe, tmp_path, checkpoint, photo, monkeypatch
):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png", "d.png", "e.png"):
        Image.fromarray(photo).save(folder / name)
    found = {name: [[10, 10, 100, 200]] for name in ("a.png", "b.png", "c.png", "d.png")}
    found |= {"b.png": [], "c.png": [[0, 0, 1e20, 1e20]], "d.png": [[10, 10, 10.00001, 10.00001]]}
    (tmp_path / "boxes.json").write_text(json.dumps(found))
    options = (
        "--boxes",
        tmp_path / "boxes.json",
        "--checkpoint",
        checkpoint,
        "--samples",
        0,
        "-o",
        out,
    )
    code, text, error = unihpe("predict", folder, *options)
    assert code == 1 and "1 person in 1 picture" in text
    assert (
        f"left out: b.png: no box for it in {tmp_path / 'boxes.json'}" in error
        and "e.png: no box" in error
    )
    assert "left out: c.png: box 0 reaches" in error and "left out: d.png: box 0 is" in error
    code, _, error = unihpe("predict", folder / "b.png", *options[:-1], tmp_path / "none")
    assert code == 2 and "no box for it" in error and not (tmp_path / "none").exists()


@pytest.mark.parametrize("focal", ["1e-30", "1e30", "1e39", "nan", "-3", "0"])
def test_no_lens_is_one_line(unihpe, tmp_path, checkpoint, photo, focal):
    Image.fromarray(photo).save(tmp_path / "a.png")
    np.save(tmp_path / "k.npy", standing(20, 30).numpy())
    options = (
        "--checkpoint",
        checkpoint,
        "--focal",
        focal,
        "-o",
        tmp_path / "out",
        "--image-size",
        "400x300",
    )
    marks = ("--keypoints", tmp_path / "k.npy", "--skeleton", "coco17")
    for evidence in ((tmp_path / "a.png", "--boxes", "whole"), marks):
        code, _, error = unihpe("predict", *evidence, *options)
        assert code == 2 and error.count("\n") == 1 and "--focal" in error
        assert "4 to 400000" in error or error.startswith(f"unihpe: --focal {focal}: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("stage", ["unihpe.show.sheets.sheet", "unihpe.show.content._rows"])
def test_results_that_cannot_be_drawn_leave_nothing_behind(
    unihpe, tmp_path, checkpoint, photo, monkeypatch, stage
):
    def stop(*arguments):
        raise InputError("cannot be drawn")

    monkeypatch.setattr(stage, stop)
    Image.fromarray(photo).save(tmp_path / "a.png")
    out = tmp_path / "out"
    code, _, error = unihpe(
        "predict",
        tmp_path / "a.png",
        *("--boxes", "whole", "--checkpoint", checkpoint, "--samples", 0, "-o", out),
    )
    assert code == 2 and "cannot be drawn" in error and not out.exists()


def test_the_demo_looks_at_people(unihpe, tmp_path, checkpoint):
    code, text, _ = unihpe("demo", "--checkpoint", checkpoint, "-o", tmp_path / "a")
    assert (
        code == 0 and "12 pictures of rendered people" in text and "from the picture alone" in text
    )
    found = json.loads((tmp_path / "a" / "demo.json").read_text())
    assert len(found["people"]) == 12 and found["people"][0]["image_size"] == [192, 256]
    points = np.array(found["people"][0]["keypoints"])
    assert ((points > -100) & (points < 350)).all()  # pixels of the crop
    Image.fromarray(person()).save(tmp_path / "one.jpg")
    code, text, _ = unihpe(
        "demo", tmp_path / "one.jpg", "--checkpoint", checkpoint, "-o", tmp_path / "b"
    )
    assert code == 0 and "one.jpg" in text and "MPJPE" not in text
    with Image.open(tmp_path / "b" / "demo.png") as sheet:
        assert sheet.width > 1000


def test_boxes_from_coco_and_broken_ones(tmp_path):
    notes = [
        {"image_id": 1, "bbox": [1, 2, 3, 4]},
        {"image_id": 1, "bbox": [0, 0, 9, 9], "iscrowd": 1},
    ]
    content = {"images": [{"id": 1, "file_name": "x/a.jpg"}], "annotations": notes}
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read_boxes(tmp_path / "a.json") == {"a.jpg": [[1, 2, 4, 6]]}
    for text in ("[1]", '{"a.jpg": [[1, 2]]}', '{"a.jpg": 5}'):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(InputError, match="no boxes as we know them"):
            read_boxes(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match="not whole JSON"):
        read_boxes(tmp_path / "a.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_boxes(tmp_path / "none.json")
    (tmp_path / "a.json").write_bytes('{"é.jpg": [[1, 2, 4, 6]]}'.encode("latin-1"))
    assert read_boxes(tmp_path / "a.json") == {"\udce9.jpg": [[1, 2, 4, 6]]}


def test_lifting_models_embed_no_pictures(trained, photo):
    with pytest.raises(InputError, match="no image encoder"):
        unihpe.load(trained).embed(picture=photo)


def test_bytes_and_binary_files_are_pictures(model, tmp_path, photo):
    path = tmp_path / "a.png"
    Image.fromarray(photo).save(path)
    expected = model.predict(photo, "whole").pose
    with path.open("rb") as file:
        for picture in (path, str(path), path.read_bytes(), BytesIO(path.read_bytes()), file):
            assert torch.equal(model.predict(picture, "whole").pose, expected)
    for broken in (b"", path.read_bytes()[:60], BytesIO(b"no picture")):
        with pytest.raises(InputError, match="the picture: ") as stop:
            model.predict(broken)
        assert "\n" not in str(stop.value)


def test_mediapipe_beside_pictures_takes_the_size_of_each(
    unihpe, model, tmp_path, checkpoint, photo
):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    Image.fromarray(photo).save(folder / "a.png")
    Image.fromarray(photo[:200, :200]).save(folder / "b.png")
    spots = (figure("mediapipe33") / (500, 600)).tolist()
    marks = [{"x": x, "y": y, "visibility": 1.0} for x, y in spots]
    frames = [{"image": f"{name}.png", "pose_landmarks": marks} for name in "abc"]
    (tmp_path / "k.json").write_text(json.dumps(frames))
    options = ("--keypoints", tmp_path / "k.json", "--checkpoint", checkpoint, "-o", out)
    code, text, error = unihpe("predict", folder, *options)
    assert code == 0 and "2 people in 2 pictures" in text, error
    with np.load(out / "poses.npz") as arrays:
        for n, (width, height) in enumerate(((400, 300), (200, 200))):
            points = torch.tensor(spots) * torch.tensor([width, height])
            picture = photo[:height, :width]
            alone = model.predict(picture, keypoints=points, skeleton="mediapipe33")
            np.testing.assert_allclose(arrays["keypoints"][n], alone.keypoints[0], atol=1e-3)
            np.testing.assert_allclose(arrays["pose"][n], alone.pose[0], atol=0.5)
    code, _, error = unihpe("predict", *options)  # without pictures nobody knows their sizes
    assert code == 2 and "shares of the picture; give --image-size" in error


@pytest.mark.parametrize(("people", "given", "drawn"), [(8, (), 20), (9, (), 0), (9, (2,), 2)])
def test_hypotheses_are_drawn_for_few_people(
    unihpe, tmp_path, checkpoint, photo, people, given, drawn
):
    Image.fromarray(photo).save(tmp_path / "a.png")
    boxes = [[0, 0, 100 + n, 200] for n in range(people)]
    (tmp_path / "boxes.json").write_text(json.dumps({"a.png": boxes}))
    points = np.stack([standing(10 * n, 30).numpy() for n in range(people)])
    np.savez(tmp_path / "k.npz", keypoints=points, skeleton="coco17", image_size=[400, 300])
    options = ("--checkpoint", checkpoint, "-o", tmp_path / "out")
    options += tuple(word for count in given for word in ("--samples", count))
    pictures = (tmp_path / "a.png", "--boxes", tmp_path / "boxes.json")
    for evidence in (pictures, ("--keypoints", tmp_path / "k.npz")):
        assert unihpe("predict", *evidence, *options)[0] == 0
        with np.load(tmp_path / "out" / "poses.npz") as arrays:
            assert (len(arrays["samples"]) if "samples" in arrays else 0) == drawn


def test_thousands_of_people_come_in_parts(model, photo, monkeypatch):
    """As many boxes as memory does not hold crops of: the answers are those of all at once."""
    boxes = torch.rand(7, 2, generator=torch.Generator().manual_seed(0)) * 50
    boxes = torch.cat([boxes, boxes + torch.tensor([90.0, 180.0])], dim=1)
    points = torch.stack([standing(20 + n, 30) for n in range(7)])
    whole = model.predict(photo, boxes, points, flip=True)
    lifted, embedded = model.lift(points, (400, 300)), model.embed(picture=photo, boxes=boxes)
    monkeypatch.setattr("unihpe.inference.answer.PICTURES", 2)
    monkeypatch.setattr("unihpe.inputs.evidence.CROPS", 3)
    monkeypatch.setattr("unihpe.inputs.evidence.CHUNK", 3)
    parts = model.predict(photo, boxes, points, flip=True)
    for name, pose in whole.paths.items():
        assert_close(parts.paths[name], pose, atol=0.01, rtol=0)
    assert_close(model.lift(points, (400, 300)).pose, lifted.pose, atol=0.01, rtol=0)
    assert_close(model.embed(picture=photo, boxes=boxes), embedded, atol=1e-5, rtol=0)


def in_tools_layouts(points):
    """The person in a.png and 000000000036.png as several tools write it: files by their names."""
    flat = [*np.column_stack([points, np.full(17, 0.9)]).ravel().tolist()]
    own = {"keypoints": points.tolist(), "keypoint_scores": [0.9] * 17}
    x, y = points.T.tolist()
    columns = {"x": x, "y": y, "visible": [0.9] * 17}
    seen = {"name": "person", "class": 0, "confidence": 0.9, "keypoints": columns}
    coco18 = [*np.column_stack([figure("coco18") / 2, np.full(18, 0.9)]).ravel().tolist()]
    names, pairs = ("a", "000000000036"), ("in/a.png", "000000000036.png")
    return {
        "coco results": {"k.json": [{"image_id": n, "keypoints": flat} for n in ("a", 36)]},
        "alphapose": {"k.json": [{"image_id": n, "keypoints": flat, "score": 1} for n in pairs]},
        "alphapose cmu": {
            "k.json": {n: {"version": "v", "bodies": [{"joints": coco18}]} for n in pairs}
        },
        "openpose": {
            f"{n}_keypoints.json": {"people": [{"pose_keypoints_2d": coco18}]} for n in names
        },
        "mmpose": {f"{n}.json": [own] for n in names},
        "ultralytics": {f"{n}.json": [seen] for n in names},
    }


@pytest.mark.parametrize("tool", in_tools_layouts(figure("coco17")))
def test_pictures_of_every_tools_files(unihpe, tmp_path, checkpoint, photo, tool):
    folder, marks, out = tmp_path / "in", tmp_path / "marks", tmp_path / "out"
    folder.mkdir()
    marks.mkdir()
    for name in ("a", "000000000036"):
        Image.fromarray(photo).save(folder / f"{name}.png")
    for name, content in in_tools_layouts(figure("coco17") / 2)[tool].items():
        (marks / name).write_text(json.dumps(content))
    file = marks / "k.json" if (marks / "k.json").exists() else marks
    options = ("--keypoints", file, "--checkpoint", checkpoint, "--samples", 0, "-o", out)
    code, text, error = unihpe("predict", folder, *options, "--image-size", "400x301")
    assert code == 0 and "2 people in 2 pictures" in text, error
    assert text.count("--image-size is not that of a.png, 400 × 300, which is used") == 1
    people = json.loads((out / "poses.json").read_text())["people"]
    assert [person["image"] for person in people] == ["000000000036.png", "a.png"]
    assert all(person["image_size"] == [400, 300] for person in people)
    shoulder = figure("coco17")[5] / 2
    np.testing.assert_allclose(people[1]["keypoints"][11], shoulder, atol=1e-3)


def test_with_one_picture_an_arrays_rows_are_the_people_in_it(unihpe, tmp_path, checkpoint, photo):
    Image.fromarray(photo).save(tmp_path / "a.png")
    points = np.stack([standing(20, 30), standing(200, 60)])
    np.savez(tmp_path / "k.npz", keypoints=points, scores=np.full((2, 17), 0.9))
    options = ("--skeleton", "coco17", "--checkpoint", checkpoint, "-o", tmp_path / "out")
    code, _, error = unihpe(
        "predict", tmp_path / "a.png", "--keypoints", tmp_path / "k.npz", *options
    )
    people = json.loads((tmp_path / "out" / "poses.json").read_text())["people"]
    assert code == 0 and [(p["image"], p["person"]) for p in people] == [
        ("a.png", "0"),
        ("a.png", "1"),
    ], error


def test_a_picture_of_another_size_than_its_keypoints_is_left_out(
    unihpe, tmp_path, checkpoint, photo
):
    folder, coco = three_people(tmp_path, photo)
    Image.fromarray(np.ascontiguousarray(photo.transpose(1, 0, 2))).save(folder / "b.png")
    content = json.loads(coco.read_text())
    content["annotations"][1]["image_id"] = 2
    coco.write_text(json.dumps(content))
    options = ("--keypoints", coco, "--checkpoint", checkpoint, "-o", tmp_path / "out")
    code, text, error = unihpe("predict", folder, *options)
    assert code == 1 and "1 person in 1 picture of in" in text
    assert "b.png: it is 300 × 400, its keypoints are of 400 × 300: resized, turned" in error
    assert "keypoints of pictures that are not there: elsewhere.png" in text


def test_keypoints_of_another_picture_are_not_taken_for_the_one(
    unihpe, tmp_path, checkpoint, photo
):
    _, coco = three_people(tmp_path, photo)
    content = json.loads(coco.read_text())
    coco.write_text(json.dumps(content | {"annotations": content["annotations"][1:2]}))
    Image.fromarray(photo).save(tmp_path / "other.png")
    options = ("--keypoints", coco, "--checkpoint", checkpoint, "-o", tmp_path / "out")
    code, _, error = unihpe("predict", tmp_path / "other.png", *options)
    assert code == 2 and "no keypoints for it in the keypoint file" in error


def test_one_name_that_is_no_text_does_not_cost_the_others_their_poses(
    unihpe, tmp_path, checkpoint, photo
):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    names = ["a.png", "b [1] \"'.png", "caf\udce9.png"]
    try:
        for name in names:
            Image.fromarray(photo).save(folder / name)
    except OSError:
        pytest.skip("this file system takes text only")
    (folder / "d\udce9.png").write_bytes(b"")
    (tmp_path / "boxes.json").write_text(
        json.dumps({name: [[0, 0, 100, 200]] for name in (*names, "d\udce9.png")})
    )
    options = ("--boxes", tmp_path / "boxes.json", "--checkpoint", checkpoint, "-o", out)
    code, text, error = unihpe("predict", folder, *options)
    assert code == 1 and "3 people in 3 pictures" in text and "d\\udce9.png" in error
    people = json.loads((out / "poses.json").read_bytes().decode("utf-8"))["people"]
    assert [person["image"] for person in people] == names
    (out / "poses.html").read_bytes().decode("utf-8")
    with np.load(out / "poses.npz") as arrays:
        assert arrays["image"].tolist() == names


def test_option_errors_name_the_option_and_missing_pictures_the_file(
    unihpe, tmp_path, checkpoint, photo
):
    Image.fromarray(photo).save(tmp_path / "a.png")
    for options, message in (
        (("--sampler", "foo"), "--sampler foo: no sampler 'foo'"),
        (("--focal", "-3"), "--focal -3: a focal length is above 0"),
        (("--units", "feet"), "--units feet: it is pixels or shares or centred or screen"),
        (("--sides", "left"), "--sides left: it is given or swapped"),
    ):
        code, _, error = unihpe(
            "predict", tmp_path / "a.png", *options, "--checkpoint", checkpoint, "-o", tmp_path
        )
        assert code == 2 and error.startswith(f"unihpe: {message}")
    code, _, error = unihpe("predict", tmp_path / "b.png", "-o", tmp_path)
    assert code == 2 and error == f"unihpe: {tmp_path / 'b.png'}: no such file\n"
