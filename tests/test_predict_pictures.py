"""Pictures in, 2D and 3D out: units, boxes, folders with broken files; with an untrained model, which is as good for that."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

import unihpe
from unihpe.batch import Modality
from unihpe.checkpoint import Card, save_checkpoint
from unihpe.errors import InputError
from unihpe.formats.boxes import read_boxes
from unihpe.recipe import build_model, load_recipe, parse_recipe


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    fields = load_recipe("quick", ("model.embedding=64", "pose_scale=250.0", "keypoint_scale=0.3")).model_dump()
    fields["model"]["image_encoder"] = {"kind": "hrnet_w18_small"}
    recipe = parse_recipe(fields, "test")
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_checkpoint(
        path, build_model(recipe).state_dict(), Card(skeleton="human36m17", recipe=recipe.model_dump(mode="json"))
    )
    return path


@pytest.fixture(scope="module")
def model(checkpoint):
    return unihpe.load(checkpoint)


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)


def test_2d_comes_in_pixels_of_the_picture(model, photo):
    boxes = torch.tensor([[20.0, 30.0, 120.0, 230.0], [200.0, 40.0, 380.0, 280.0]])
    result = model.predict(photo, boxes, samples=4)
    assert result.pose.shape == (2, 17, 3) and result.samples.shape == (4, 2, 17, 3)
    assert (result.pose[:, 0] == 0).all() and torch.isfinite(result.translation).all()
    centre = result.keypoints.mean(1)  # an untrained decoder answers near the middle of the box
    assert (centre > boxes[:, :2] - 60).all() and (centre < boxes[:, 2:] + 60).all()
    again = model.predict(photo, boxes[1])
    assert_close(again.keypoints[0], result.keypoints[1], atol=1e-2, rtol=0)
    assert result.focal_source.startswith("assumed") and result.focal[0].item() == pytest.approx(500.0)


def test_the_crop_is_what_the_box_says(model, photo, monkeypatch):
    """A box moved with the picture's content gives the same answer, moved."""
    wide = np.zeros((400, 600, 3), np.uint8)
    wide[60:360, 100:500] = photo
    box = torch.tensor([100.0, 60.0, 300.0, 260.0])
    here, there = model.predict(photo, box), model.predict(wide, box + torch.tensor([100.0, 60.0, 100.0, 60.0]))
    seen = []
    original = model.model.embed
    monkeypatch.setattr(
        model.model, "embed", lambda batch, modality: (seen.append(batch.image), original(batch, modality))[1]
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
    plain, mirror = (model.predict(p, b, flip=True) for p, b in ((photo, box), (photo[:, ::-1], other)))
    assert_close(skeleton.mirrored(plain.pose), mirror.pose, atol=0.5, rtol=0)
    middle = torch.tensor([200.0, 0.0])
    assert_close(skeleton.mirrored(plain.keypoints - middle) + middle, mirror.keypoints, atol=0.1, rtol=0)
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
    """The 2D differs by the move and by the box token, which knows where in the picture the box lies."""
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
    ],
)
def test_boxes_that_are_none(model, photo, boxes, message):
    with pytest.raises(InputError, match=message):
        model.predict(photo, boxes)


def test_pictures_that_are_none(model, photo):
    for picture in (photo.astype(np.float32), photo[..., 0], np.zeros((0, 5, 3), np.uint8)):
        with pytest.raises(InputError, match="uint8 RGB"):
            model.predict(picture)
    assert model.predict(photo[:1, :1]).pose.shape == (1, 17, 3)  # one pixel is a picture
    assert unihpe.load


def test_a_folder_with_broken_files(unihpe, tmp_path, checkpoint, photo):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    Image.fromarray(photo).save(folder / "a.png")
    Image.fromarray(photo).save(folder / "b.jpg")
    (folder / "c.jpg").write_bytes((folder / "b.jpg").read_bytes()[:100])
    (folder / "d.png").write_bytes(b"")
    boxes = {"a.png": [[10, 10, 100, 200], [150, 20, 300, 280]], "b.jpg": [[0, 0, 400, 300]], "c.jpg": [[0, 0, 9, 9]]}
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    options = ("--checkpoint", checkpoint, "-o", out, "--samples", 2)
    code, text, error = unihpe("predict", folder, "--boxes", tmp_path / "boxes.json", *options)
    assert code == 1 and "3 people in 2 pictures" in text and "c.jpg" in error and "d.png: no box" in error
    found = json.loads((out / "poses.json").read_text())
    assert [(p["image"], p["person"]) for p in found["people"]] == [("a.png", "0"), ("a.png", "1"), ("b.jpg", "0")]
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
        model.predict(photo, focal=float("nan"))


def standing(left: float, top: float) -> torch.Tensor:
    """COCO keypoints of somebody 100 pixels wide and 200 high."""
    places = torch.rand(17, 2, generator=torch.Generator().manual_seed(int(left))) * torch.tensor([100.0, 200.0])
    return places + torch.tensor([left, top])


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
        model.predict(photo, keypoints=torch.where(torch.arange(17)[:, None] < 14, torch.nan, keypoints))


def test_a_folder_with_keypoints(unihpe, tmp_path, checkpoint, photo):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(photo).save(folder / name)
    marks = torch.cat([standing(20, 30), torch.full((17, 1), 2.0)], dim=1).flatten().tolist()
    note = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": marks, "bbox": [20, 30, 100, 200]}
    image = {"id": 1, "file_name": "a.png", "width": 400, "height": 300}
    (tmp_path / "coco.json").write_text(json.dumps({"images": [image], "annotations": [note]}))
    options = ("--keypoints", tmp_path / "coco.json", "--checkpoint", checkpoint, "-o", out, "--samples", 0)
    code, text, error = unihpe("predict", folder, *options)
    assert code == 1 and "1 people in 1 pictures" in text and "b.png: no keypoints" in error
    person = json.loads((out / "poses.json").read_text())["people"][0]
    assert set(person["paths"]) == {"image", "2d", "fused"} and person["paths"]["2d"] == person["pose"]
    with np.load(out / "poses.npz") as arrays:
        assert arrays["pose_fused"].shape == (1, 17, 3)
    np.save(tmp_path / "points.npy", standing(20, 30).numpy())
    options = ("--keypoints", tmp_path / "points.npy", "--skeleton", "coco17", *options[2:])
    code, text, _ = unihpe("predict", folder / "b.png", *options)  # a file that names no picture is about this one
    assert code == 0 and "1 people in 1 pictures" in text


def test_the_demo_looks_at_people(unihpe, tmp_path, checkpoint, photo):
    code, text, _ = unihpe("demo", "--checkpoint", checkpoint, "-o", tmp_path / "a")
    assert code == 0 and "12 pictures of rendered people" in text and "from the picture alone" in text
    found = json.loads((tmp_path / "a" / "demo.json").read_text())
    assert len(found["people"]) == 12 and found["people"][0]["image_size"] == [192, 256]
    points = np.array(found["people"][0]["keypoints"])
    assert ((points > -100) & (points < 350)).all()  # pixels of the crop
    Image.fromarray(photo).save(tmp_path / "one.jpg")
    code, text, _ = unihpe("demo", tmp_path / "one.jpg", "--checkpoint", checkpoint, "-o", tmp_path / "b")
    assert code == 0 and "one.jpg" in text and "MPJPE" not in text
    with Image.open(tmp_path / "b" / "demo.png") as sheet:
        assert sheet.width > 1000


def test_boxes_from_coco_and_broken_ones(tmp_path):
    notes = [{"image_id": 1, "bbox": [1, 2, 3, 4]}, {"image_id": 1, "bbox": [0, 0, 9, 9], "iscrowd": 1}]
    content = {"images": [{"id": 1, "file_name": "x/a.jpg"}], "annotations": notes}
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read_boxes(tmp_path / "a.json") == {"a.jpg": [[1, 2, 4, 6]]}
    for text in ("[1]", "{", '{"a.jpg": [[1, 2]]}', '{"a.jpg": 5}'):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(InputError, match="no boxes as we know them"):
            read_boxes(tmp_path / "a.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_boxes(tmp_path / "none.json")


def test_lifting_models_say_that_they_see_no_pictures(trained, photo):
    with pytest.raises(InputError, match="no image encoder"):
        unihpe.load(trained).predict(photo)
