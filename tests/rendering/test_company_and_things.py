"""What surrounds rendered people: others, things, clothes, lenses, a photograph's faults."""

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
import torch
from conftest import walker

pytest.importorskip("anny", reason="needs the extra 'synthetic': pip install 'unihpe[synthetic]'")
pytest.importorskip("numba", reason="needs the extra 'synthetic': pip install 'unihpe[synthetic]'")

from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH
from unihpe.body.camera import Camera
from unihpe.body.virtual_cameras import NEAR_DISTANCE, NEAR_FOCAL, near_cameras
from unihpe.datasets.motion.source import Motion
from unihpe.errors import InputError
from unihpe.rendering import People, Settings
from unihpe.rendering.body import COLUMN, draw_shape, load_model, pose_body
from unihpe.rendering.clothes import Cover, draw_costume, draw_outfit
from unihpe.rendering.company import NEAREST, draw_company
from unihpe.rendering.figure import Layer, hidden_share, lay_over
from unihpe.rendering.finish import Faults, _shaken, finish
from unihpe.rendering.light import View, draw_light
from unihpe.rendering.paint import _cover_at
from unihpe.rendering.raster import normals_of
from unihpe.rendering.scene import DRAWN, _composed
from unihpe.rendering.settings import SHARES, changed
from unihpe.rendering.sight import ENLARGE, HIDDEN, MOST_OCCLUDED, OUTSIDE, SEEN, visible
from unihpe.rendering.solids import Material, box, draw_material, draw_solids, rounded
from unihpe.rendering.things import (
    draw_before,
    draw_carried,
    draw_clutter,
    draw_seat,
    draw_support,
)

ADDED = ("costumes", "company", "things", "carried", "shallow", "shaken", "dark", "toned", "shared")
BARE = Settings(seed=3, **{name: 0.0 for name in SHARES})
FULL = Settings(seed=3, **{name: 1.0 for name in SHARES})
LABELS = ("keypoints", "pose", "box")
GREY = Material(np.full((2, 3), 0.5, np.float32), np.array([0, 100, 0], np.float32))


def source(motion: Motion, **shares: float) -> People:
    return People(motion.poses[::9], replace(BARE, **shares))


def looking(at: tuple[float, float, float] = (0, 1000, 0), away: float = 4000.0) -> View:
    """A level view along −z of a place, at which a pixel is 4 mm wide; it is the crop's middle."""
    turn = torch.tensor([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]).double()
    eye = torch.tensor(at).double() + torch.tensor([0.0, 0, away]).double()
    size = torch.tensor([float(CROP_WIDTH), float(CROP_HEIGHT)]).double()
    focal = torch.full((2,), away / 4).double()
    return View(Camera(focal, size / 2, size, turn, -turn @ eye), 1.0, np.zeros(2))


def light():
    return draw_light(np.full((CROP_HEIGHT, CROP_WIDTH, 3), 120, np.uint8), np.random.default_rng())


def shown(solids) -> Layer:
    return draw_solids(
        solids, np.ones((8, 8, 3), np.float32), light(), looking(), DRAWN, enlarge=ENLARGE
    )


# --- settings ---


def test_a_setting_changes_what_it_names_and_no_label(motion: Motion):
    bare = source(motion)
    for name in ADDED:
        full, differ = source(motion, **{name: 1.0}), 0
        for n in range(4):
            one, other = bare[n], full[n]
            assert all(np.array_equal(getattr(one, k), getattr(other, k)) for k in LABELS), name
            differ += not np.array_equal(one.picture, other.picture)
        assert differ > 1, name


def test_a_person_among_all_of_it_is_a_function_of_seed_and_index(motion: Motion):
    people = People(motion.poses[::9], FULL)
    first = people[5]
    people[2]
    again = People(motion.poses[::9], FULL)[5]
    for name in (*LABELS, "picture", "visibility", "cover"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


def test_settings_are_changed_by_name():
    some = changed(BARE, ["close=0.25", "things=1"])
    assert (some.close, some.things, some.company, some.seed) == (0.25, 1.0, 0.0, 3)
    for wrong, words in {
        "rain=1": "no such share; there are wild, close",
        "seed=1": "no such share",
        "close": "from 0 to 1",
        "close=nan": "from 0 to 1",
        "close=1.5": "from 0 to 1",
    }.items():
        with pytest.raises(InputError, match=words):
            changed(BARE, [wrong])
    assert {field.name for field in fields(Settings)} - set(SHARES) == {
        "seed",
        "skins",
        "backgrounds",
    }


def test_a_wrong_share_is_one_line_and_leaves_nothing(unihpe, motion_file, tmp_path):
    before = set(tmp_path.iterdir())
    command = ("data", "render", "--motion", motion_file, "-o", tmp_path / "x.pack")
    code, _, error = unihpe(*command, "--set", "rain=1")
    assert code == 2 and error.startswith("unihpe: --set rain=1") and error.count("\n") == 1
    code, _, error = unihpe(*command, "--set", "postures=1")
    assert code == 2 and "postures" in error and error.count("\n") == 1
    assert set(tmp_path.iterdir()) == before


# --- other people, and what hides whom ---


def test_others_stand_about_and_not_in_the_camera():
    poses, joints = walker(40).double().numpy(), walker(1)[0].double().numpy()
    pelvis, eye = joints[COLUMN["pelvis"]], np.array([0.0, 1500.0, 1200.0])
    rng, ahead, count = np.random.default_rng(0), 0, []
    for _ in range(60):
        others = draw_company(poses, joints, eye, rng)
        count.append(len(others))
        for other in others:
            place = other[COLUMN["pelvis"]]
            assert np.linalg.norm((place - eye)[[0, 2]]) > 0.99 * NEAREST
            assert np.linalg.norm((place - pelvis)[[0, 2]]) < 8000
            bones = np.linalg.norm(other[COLUMN["left_knee"]] - other[COLUMN["left_ankle"]])
            assert bones == pytest.approx(
                np.linalg.norm(poses[0, COLUMN["left_knee"]] - poses[0, COLUMN["left_ankle"]]),
                rel=0.2,
            )
            ahead += place[2] > pelvis[2] + 100
    assert set(count) == {1, 2, 3} and 5 < ahead < sum(count) / 2


def test_a_joint_behind_something_is_hidden():
    crop, depth = np.tile([50.0, 60.0], (17, 1)), np.full(17, 1000.0)
    own, inside = np.zeros(DRAWN[::-1], np.float32), np.ones(17, bool)
    none = np.zeros((CROP_HEIGHT, CROP_WIDTH), np.float32)

    def seen(surface: float | None, other: float) -> int:
        own[...] = 1 / surface if surface else 0
        others = np.zeros_like(own)
        others[60 * ENLARGE, 50 * ENLARGE] = 1 / other
        return int(visible(crop, depth, own, others, none, inside)[COLUMN["left_knee"]])

    assert seen(950, 900) == HIDDEN  # before the person
    assert seen(950, 970) == SEEN  # inside their limb, as what they hold may be
    assert seen(950, 1200) == SEEN  # behind
    assert seen(None, 900) == HIDDEN and seen(None, 1200) == SEEN
    assert seen(850, 2000) == HIDDEN  # behind their own body


def test_others_hide_joints_of_the_main_person_alone(motion: Motion):
    alone, among = source(motion), source(motion, company=1.0, things=1.0)
    changes = []
    for n in range(10):
        one, other = alone[n], among[n]
        assert ((one.visibility == OUTSIDE) == (other.visibility == OUTSIDE)).all()
        changes.append(int(other.visibility.sum()) - int(one.visibility.sum()))
        np.testing.assert_array_equal(one.cover, other.cover)
    assert max(changes) <= 0 and min(changes) < 0


def test_what_would_hide_too_much_is_left_out():
    main = shown([box(np.array([0.0, 1000, 0]), np.eye(3), (100, 300, 50), GREY)])
    wall = shown([box(np.array([0.0, 1000, 500]), np.eye(3), (400, 400, 50), GREY)])
    rail = shown([box(np.array([0.0, 1000, 500]), np.eye(3), (400, 50, 50), GREY)])
    behind = shown([box(np.array([0.0, 1000, -500]), np.eye(3), (400, 400, 50), GREY)])
    nothing = np.zeros_like(main.depth)
    assert hidden_share(main.depth, nothing, wall.depth) == 1
    assert hidden_share(main.depth, nothing, behind.depth) == 0
    assert hidden_share(main.depth, nothing, rail.depth) == pytest.approx(50 / 300, rel=0.2)
    scene = _composed(main, [wall, rail, behind], looking(), light())
    assert 0 < scene.covered < MOST_OCCLUDED
    np.testing.assert_array_equal(scene.nearest, np.maximum(rail.depth, behind.depth))
    assert scene.colour[..., 3].sum() > scene.cover.sum() > 0


def test_the_nearest_layer_shows():
    colour, depth = np.zeros((1, 2, 4), np.float32), np.array([[0.5, 0.2]], np.float32)
    other = np.ones((1, 2, 4), np.float32)
    lay_over(colour, depth, other, np.array([[0.4, 0.3]], np.float32))
    assert colour[0, :, 0].tolist() == [0, 1] and depth[0].tolist() == pytest.approx([0.5, 0.3])


# --- things ---


@pytest.mark.parametrize("power", [0.3, 0.7, 1.0])
def test_solids_show_their_outside(power):
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turn *= np.linalg.det(turn)
    centre, half = np.array([10.0, 20, 30]), (30.0, 80.0, 50.0)
    for solid in (box(centre, turn, half, GREY), rounded(centre, turn, half, GREY, power)):
        found = normals_of(solid.points, solid.faces)
        cosines = (found * solid.normals).sum(1)[np.linalg.norm(found, axis=1) > 0.5]
        assert len(cosines) > 20 and np.quantile(cosines, 0.1) > 0.7
        corners = solid.points[solid.faces].astype(float) - centre
        volume = np.linalg.det(corners).sum() / 6
        assert 0.45 * 8 * np.prod(half) < volume < 1.01 * 8 * np.prod(half)
        np.testing.assert_allclose(np.abs((solid.points - centre) @ turn.T).max(0), half, rtol=0.05)


def test_a_solid_lies_where_the_camera_says():
    layer = shown([box(np.array([100.0, 1200, 0]), np.eye(3), (40, 40, 40), GREY)])
    rows, columns = np.nonzero(layer.depth)
    middle = (CROP_WIDTH / 2 + 100 / 4, CROP_HEIGHT / 2 - 200 / 4)
    assert (columns.mean() / ENLARGE, rows.mean() / ENLARGE) == pytest.approx(middle, abs=1)
    assert 1 / layer.depth.max() == pytest.approx(3960, rel=1e-3)
    assert (layer.colour[..., 3] == (layer.depth > 0)).all() and layer.colour[..., 0].max() > 0


def sitting() -> np.ndarray:
    """The walker, who sits on something 45 cm high."""
    joints = walker(1)[0].double().numpy()
    joints -= joints[COLUMN["pelvis"]] * [1, 0, 1]
    joints[:, 1] -= 500
    for side, x in (("left", 120), ("right", -120)):
        joints[COLUMN[f"{side}_knee"]] = [x, 450, 420]
        joints[COLUMN[f"{side}_ankle"]] = [x, 60, 430]
        joints[COLUMN[f"{side}_wrist"]] = [x, 700, 420]
        joints[COLUMN[f"{side}_elbow"]] = [x, 680, 160]
    return joints


def test_who_sits_gets_a_seat_at_their_height():
    model, rng = load_model(), np.random.default_rng(2)
    body = pose_body(model, draw_shape(model, rng), sitting())
    corners = body.points[: model.garments.first]
    pelvis = body.joints[COLUMN["pelvis"]]
    for _ in range(8):
        solids = draw_seat(body.joints, corners, rng)
        tops = [solid.points[:, 1].max() for solid in solids[:1]]
        assert pelvis[1] - 200 < tops[0] < pelvis[1] - 40
        assert min(solid.points[:, 1].min() for solid in solids) == pytest.approx(0, abs=1)
        seat = solids[0].points
        assert (seat[:, [0, 2]].min(0) < pelvis[[0, 2]]).all()
        assert (seat[:, [0, 2]].max(0) > pelvis[[0, 2]]).all()
    standing = walker(1)[0].double().numpy()
    assert draw_seat(standing, corners, rng) == []
    assert draw_seat(sitting() - [0, 420, 0], corners - np.float32([0, 420, 0]), rng) == []


def test_who_holds_a_hand_out_gets_something_under_it():
    model, rng = load_model(), np.random.default_rng(3)
    body = pose_body(model, draw_shape(model, rng), sitting())
    corners, hands = body.points[: model.garments.first], []
    for _ in range(8):
        solids = draw_support(body.joints, corners, rng)
        hands.append(max(solid.points[:, 1].max() for solid in solids))
    low = min(body.joints[COLUMN[f"{side}_wrist"], 1] for side in ("left", "right"))
    assert all(low - 60 < top < low for top in hands)
    assert draw_support(walker(1)[0].double().numpy(), corners, rng) == []


def test_things_stand_between_and_behind():
    joints, rng = walker(1)[0].double().numpy(), np.random.default_rng(4)
    pelvis = joints[COLUMN["pelvis"]]
    eye = pelvis + np.array([0.0, 500.0, 4000.0])
    for _ in range(20):
        middles = [solid.points.mean(0)[2] for solid in draw_before(joints, eye, rng)]
        assert middles and pelvis[2] < np.mean(middles) < eye[2]
        assert all(solid.points[:, 2].min() < pelvis[2] for solid in draw_clutter(joints, eye, rng))
        for solid in draw_carried(joints, rng):
            nearest = np.linalg.norm(joints[:, None] - solid.points, axis=2).min()
            assert nearest < 600 and np.isfinite(solid.normals).all()


def test_materials_are_of_many_kinds():
    rng = np.random.default_rng(0)
    kinds = {float(draw_material(rng).pattern[0]) for _ in range(80)}
    assert len(kinds) > 4 and min(kinds) < 0  # photographs among them


# --- clothes ---


def test_a_gown_is_one_with_its_skirt():
    marks, rng = load_model().garments.marks, np.random.default_rng(0)
    gowns = 0
    for _ in range(30):
        outfit = draw_outfit(marks, rng, ())
        assert outfit.cut.gown == 0
        other = draw_costume(outfit, marks, rng)
        skirt = _cover_at(2, 0.0, 0.0, 100.0, -1.0, -100.0, other.cut)
        assert skirt == (Cover.SHIRT if other.cut.gown else Cover.BOTTOMS)
        assert (other.cut.gown > 0) == (other.skirt_rows > 0)
        assert type(other.cut.gown) is type(outfit.cut.gown)  # else all is compiled again
        gowns += other.cut.gown > 0
    assert 8 < gowns < 28


# --- lenses ---


def test_close_cameras_are_close_and_wide():
    poses = walker(200)
    pelvis = poses[:, COLUMN["pelvis"]]
    cameras = near_cameras(poses, pelvis, torch.Generator().manual_seed(0))
    reach = (poses - pelvis[:, None]).norm(dim=-1).amax(-1)
    depth = cameras.to_camera(poses)
    share = cameras.focal[:, 0] / cameras.size.amax(1)
    assert NEAR_FOCAL[0] <= share.min() and share.max() <= NEAR_FOCAL[1]
    distance = depth[:, COLUMN["pelvis"]].norm(dim=-1) / reach
    assert NEAR_DISTANCE[0] <= distance.min() + 1e-5 and distance.max() <= NEAR_DISTANCE[1] + 1e-5
    assert depth[..., 2].min() > 100  # nobody reaches behind the lens


def test_close_up_the_labels_are_the_cameras_own(motion: Motion):
    people = source(motion, close=1.0, wild=1.0)
    far = source(motion, wild=1.0)
    for n in range(6):
        person = people[n]
        found = person.camera.project(torch.from_numpy(person.pose))
        torch.testing.assert_close(found, torch.from_numpy(person.keypoints))
        assert ((person.keypoints >= 0) & (person.keypoints <= person.camera.size.numpy())).all()
        assert person.pose[0, 2] < 2600 < 1.2 * far[n].pose[0, 2]


# --- a photograph's faults ---


def test_each_fault_changes_the_picture():
    rng = np.random.default_rng(0)
    picture = cv2.resize(rng.random((8, 6, 3), np.float32), (CROP_WIDTH, CROP_HEIGHT))
    faults = [Faults()] + [Faults(*row) for row in np.eye(4, dtype=bool).tolist()]
    made = [
        finish(picture, np.array([0, 0, 192.0, 256.0]), fault, *map(np.random.default_rng, (1, 2)))
        for fault in faults
    ]
    assert all(one.shape == (256, 192, 3) and one.dtype == np.uint8 for one in made)
    assert len({one.tobytes() for one in made}) == len(made)


def test_motion_blur_moves_nothing():
    picture = np.zeros((CROP_HEIGHT, CROP_WIDTH, 3), np.float32)
    picture[100, 90] = 1
    row, column = np.mgrid[:CROP_HEIGHT, :CROP_WIDTH]
    for seed in range(8):
        blurred = _shaken(picture, np.random.default_rng(seed))[..., 0]
        assert blurred.sum() == pytest.approx(1, rel=1e-4) and blurred.max() < 0.7
        middle = (blurred * row).sum(), (blurred * column).sum()
        assert middle == pytest.approx((100, 90), abs=0.01)
