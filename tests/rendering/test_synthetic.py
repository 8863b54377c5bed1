"""Rendered people: body, rasteriser, backgrounds, scenes, packed sets."""

from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from unihpe.body.boxes import box_from_keypoints
from unihpe.body.camera import Camera
from unihpe.body.virtual_cameras import random_cameras
from unihpe.datasets.motion.source import Motion, open_motion
from unihpe.errors import InputError
from unihpe.io.extra import extra

pytest.importorskip("anny", reason="needs the extra 'synthetic': pip install 'unihpe[synthetic]'")
pytest.importorskip("numba", reason="needs the extra 'synthetic': pip install 'unihpe[synthetic]'")


from unihpe.body.boxes import CROP_HEIGHT, CROP_WIDTH
from unihpe.datasets.packed import PackedPeople, _join, pack
from unihpe.rendering.background import Backgrounds, draw_background, load_backgrounds
from unihpe.rendering.body import (
    COLUMN,
    SKELETON,
    TO_WORLD,
    _chain,
    _skin,
    draw_shape,
    load_model,
    pose_body,
)
from unihpe.rendering.clothes import Cover, Cut, load_skins
from unihpe.rendering.lens import FEWEST_LEFT, cut_picture
from unihpe.rendering.paint import _cover_at
from unihpe.rendering.raster import NOTHING, barycentric, normals_of, rasterise
from unihpe.rendering.scene import People
from unihpe.rendering.settings import Settings
from unihpe.rendering.sight import HIDDEN, OUTSIDE, SEEN
from unihpe.show.crops import draw_crops

LIMBS = [
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]
PARTS = ("focal", "centre", "size", "rotation", "translation")  # of a camera
PLAIN = Settings(seed=3, occluded=0.0, truncated=0.0)


@pytest.fixture(scope="module")
def people(motion: Motion) -> People:
    return People(motion.poses[::9], PLAIN)


@pytest.fixture(scope="module")
def captured(shared_data: Path) -> Motion:
    """Real motion."""
    return open_motion(shared_data / "cmu_mocap" / "cmu_h36m17_30fps.npz")


def same(one, other) -> bool:
    names = ("picture", "keypoints", "pose", "visibility", "box", "cover")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


# --- body ---


def angles(joints: np.ndarray, asked: np.ndarray) -> list[float]:
    found = []
    for start, end in LIMBS:
        a, b = (p[COLUMN[end]] - p[COLUMN[start]] for p in (joints, asked))
        found.append(
            np.degrees(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))
        )
    return found


def test_limbs_point_where_the_pose_asks(captured: Motion):
    model, rng = load_model(), np.random.default_rng(0)
    for asked in captured.poses[::2500].double().numpy():
        body = pose_body(model, draw_shape(model, rng), asked)
        assert max(angles(body.joints, asked)) < 4
        trunk = [
            (body.joints, asked)[n][COLUMN["thorax"]] - (body.joints, asked)[n][COLUMN["pelvis"]]
            for n in (0, 1)
        ]
        assert trunk[0] @ trunk[1] > 0.97 * np.linalg.norm(trunk[0]) * np.linalg.norm(trunk[1])


def test_a_body_stands_where_it_is_asked_to(motion: Motion):
    model, asked = load_model(), motion.poses[5].double().numpy()
    body = pose_body(model, draw_shape(model, np.random.default_rng(1)), asked)
    pelvis = COLUMN["pelvis"]
    np.testing.assert_allclose(body.joints[pelvis, [0, 2]], asked[pelvis, [0, 2]], atol=1e-6)
    assert body.points[: model.garments.first, 1].min() == pytest.approx(
        max(0, asked[:, 1].min()), abs=0.01
    )


def test_joints_follow_the_rule_of_the_motion_data():
    model = load_model()
    asked = np.stack([[0.0, 900, 0]] * 17)
    for joint, place in {
        "right_hip": (-120, 900, 0),
        "left_hip": (120, 900, 0),
        "right_knee": (-120, 500, 0),
        "left_knee": (120, 500, 0),
        "right_ankle": (-120, 90, 0),
        "left_ankle": (120, 90, 0),
        "spine": (0, 1170, 0),
        "thorax": (0, 1440, 0),
        "nose": (0, 1600, 70),
        "head": (0, 1720, 0),
        "left_shoulder": (190, 1390, 0),
        "right_shoulder": (-190, 1390, 0),
        "left_elbow": (190, 1100, 0),
        "right_elbow": (-190, 1100, 0),
        "left_wrist": (190, 850, 0),
        "right_wrist": (-190, 850, 0),
    }.items():
        asked[COLUMN[joint]] = place
    joints = pose_body(model, draw_shape(model, np.random.default_rng(0)), asked).joints
    at = {joint: joints[n] for joint, n in COLUMN.items()}
    np.testing.assert_allclose(at["pelvis"], (at["left_hip"] + at["right_hip"]) / 2, atol=1e-9)
    np.testing.assert_allclose(at["spine"], (at["pelvis"] + at["thorax"]) / 2, atol=1e-9)
    shoulders = (at["left_shoulder"] + at["right_shoulder"]) / 2
    np.testing.assert_allclose(
        at["thorax"], shoulders + 0.1 * (shoulders - at["pelvis"]), atol=1e-9
    )
    torso = np.linalg.norm(shoulders - at["pelvis"])
    assert np.linalg.norm(at["head"] - at["thorax"]) == pytest.approx(0.58 * torso)
    assert at["nose"][2] > at["head"][2] and at["left_hip"][0] > at["right_hip"][0]


def test_skinning_agrees_with_anny_itself():
    anny = (
        extra("anny", "synthetic", "this test needs it")
        .Anny(pose_parameterization="world-orient", skinning_method="lbs")
        .double()
    )
    rest = anny(phenotype_kwargs={"age": 0.7, "gender": 0.2})
    generator = torch.Generator().manual_seed(0)
    turns = torch.linalg.qr(
        torch.randn(len(anny.bone_labels), 3, 3, generator=generator, dtype=torch.float64)
    )[0]
    turns = turns * torch.linalg.det(turns)[:, None, None]
    asked = torch.eye(4, dtype=torch.float64).expand(1, len(turns), 4, 4).clone()
    asked[0, :, :3, :3] = turns @ rest["rest_bone_poses"][0, :, :3, :3]
    want = anny(pose_parameters=asked, phenotype_kwargs={"age": 0.7, "gender": 0.2})
    axes = TO_WORLD / 1000
    ours = axes @ turns.numpy() @ axes.T
    heads = rest["rest_bone_heads"][0].numpy() @ TO_WORLD.T
    parents = np.array([-1 if p is None else p for p in anny.bone_parents], dtype=np.int32)
    placed = _chain(heads, parents, ours)
    moves = placed - (ours @ heads[..., None])[..., 0]
    order = anny.vertex_bone_weights.argsort(1, descending=True)
    parts = (anny.vertex_bone_weights.gather(1, order), anny.vertex_bone_indices.gather(1, order))
    points = (rest["rest_vertices"][0].numpy() @ TO_WORLD.T).astype(np.float32)
    kinds = (np.float32, np.int32)
    skinned = _skin(
        points,
        *(part.numpy().astype(kind) for part, kind in zip(parts, kinds, strict=True)),
        ours.astype(np.float32),
        moves.astype(np.float32),
    )
    expected = want["vertices"][0].detach().numpy() @ TO_WORLD.T
    shift = (expected - skinned).mean(0)  # Anny puts the root elsewhere
    np.testing.assert_allclose(skinned + shift, expected, atol=0.05)


# --- rasteriser ---


def naive(
    points: np.ndarray, faces: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same picture, pixel by pixel."""
    shown, nearest = np.full((height, width), NOTHING), np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            for f, corners in enumerate(points[faces].astype(float)):
                if (corners[:, 2] <= 0).any():
                    continue
                matrix = np.stack([corners[:, 0], corners[:, 1], np.ones(3)])
                u = np.linalg.solve(matrix, [column + 0.5, row + 0.5, 1.0])
                if (u >= 0).all() and u @ corners[:, 2] > nearest[row, column]:
                    shown[row, column], nearest[row, column] = f, u @ corners[:, 2]
    return shown, nearest


def test_rasteriser_agrees_with_a_naive_one():
    rng = np.random.default_rng(4)
    points = np.column_stack(
        [rng.uniform(-6, 30, 21), rng.uniform(-6, 26, 21), rng.uniform(0.1, 1, 21)]
    )
    points = points.astype(np.float32)
    points[20, 2] = -1  # behind the camera
    faces = np.arange(21, dtype=np.int32).reshape(7, 3)
    shown, nearest = rasterise(points, faces, 0, 24, 20)
    want, depth = naive(points, faces, 24, 20)
    assert len(set(want.ravel().tolist())) > 3
    np.testing.assert_array_equal(shown, want)
    np.testing.assert_allclose(nearest, depth, atol=1e-6)


def test_only_the_outside_of_a_closed_surface_is_drawn():
    points = np.array([[1, 1, 1], [1, 8, 1], [8, 1, 1]], dtype=np.float32)
    anticlockwise, clockwise = np.array([[0, 1, 2]], np.int32), np.array([[0, 2, 1]], np.int32)
    assert (rasterise(points, anticlockwise, 1, 9, 9)[0] == 0).any()
    assert (rasterise(points, clockwise, 1, 9, 9)[0] == NOTHING).all()
    assert (rasterise(points, clockwise, 0, 9, 9)[0] == 0).any()


def test_weights_are_perspective_correct():
    # half-way across the picture between depths 1 and 3 lies a quarter of the way along the edge
    points = np.array([[0, 0, 1], [10, 0, 1 / 3], [0, 10, 1]], dtype=np.float32)
    found = barycentric(points, np.array([0, 1, 2], np.int32), 5.0, 0.0)
    np.testing.assert_allclose(found, (0.75, 0.25, 0.0), atol=1e-6)


def test_normals_point_outward():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=np.float32)
    np.testing.assert_allclose(normals_of(points, np.array([[0, 1, 2]], np.int32)), [[0, 0, 1]] * 3)


# --- paint ---


def test_hems_cut_where_they_say():
    cut = Cut(shirt_low=300.0, waist=250.0, hem=-280.0, sleeve=0.3)
    places = {
        (-200, -1): Cover.BOTTOMS,
        (-300, -1): Cover.SKIN,
        (400, 0.2): Cover.SHIRT,
        (400, 0.4): Cover.SKIN,
    }
    for (height, arm), want in places.items():
        assert _cover_at(0, 90.0, float(height), 0.0, float(arm), -100.0, cut) == want


def test_a_skin_folder_without_a_square_picture_is_named(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((64, 128, 3), np.uint8))
    with pytest.raises(InputError, match="no square picture"):
        load_skins(tmp_path)


# --- backgrounds ---


def test_a_background_folder_without_pictures_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="no such folder"):
        load_backgrounds(tmp_path / "absent")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no picture either")
    cv2.imwrite(str(tmp_path / "tiny.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match=r"no picture of at least 64"):
        load_backgrounds(tmp_path)


def test_pictures_twice_as_wide_as_high_are_panoramas(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((64, 128, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((64, 96, 3), np.uint8))
    found = load_backgrounds(tmp_path)
    assert (len(found.panoramas), len(found.photos)) == (1, 1)


def test_a_panorama_keeps_its_horizon():
    panorama = np.zeros((256, 512, 3), np.uint8)
    panorama[:128] = 255  # sky
    x, y = np.meshgrid(np.linspace(-0.3, 0.3, 48), np.linspace(0.5, -0.3, 64))
    rays = np.stack([x, y, np.ones_like(x)], axis=-1).astype(np.float32)
    view = draw_background(Backgrounds(panoramas=(panorama,)), rays, np.random.default_rng(0))
    assert (view[y > 0.03] > 200).all() and (view[y < -0.03] < 50).all()


# --- scenes ---


def test_a_person_is_a_function_of_seed_and_index(people: People, motion: Motion):
    first = people[4]
    people[7]  # nothing of another person stays behind
    assert same(first, people[4])
    assert same(first, People(motion.poses[::9], PLAIN)[4])
    assert not same(first, People(motion.poses[::9], Settings(seed=4))[4])
    assert not same(first, people[4 + len(people)])  # the same pose on somebody else


def test_labels_are_the_cameras_and_the_boxes_own(people: People):
    for person in (people[n] for n in range(6)):
        pose, keypoints = torch.from_numpy(person.pose), torch.from_numpy(person.keypoints)
        torch.testing.assert_close(person.camera.project(pose), keypoints)
        box = box_from_keypoints(keypoints, torch.ones(len(keypoints), dtype=torch.bool))
        torch.testing.assert_close(torch.from_numpy(person.box), box)
        assert (
            person.picture.shape == (CROP_HEIGHT, CROP_WIDTH, 3)
            and person.picture.dtype == np.uint8
        )
        assert (
            (person.crop_keypoints >= 0) & (person.crop_keypoints <= (CROP_WIDTH, CROP_HEIGHT))
        ).all()


def off_the_body(person, reach: int = 4) -> list[str]:
    """Limb joints that have no part of the person within a few pixels."""
    near = cv2.dilate(person.cover, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    lost = []
    for joint in {joint for limb in LIMBS for joint in limb}:
        x, y = person.crop_keypoints[COLUMN[joint]]
        if person.visibility[COLUMN[joint]] != OUTSIDE and near[int(y), int(x)] < 0.3:
            lost.append(joint)
    return lost


def test_joints_lie_on_the_silhouette(people: People):
    for n in range(8):
        assert off_the_body(people[n]) == []


@pytest.mark.slow
def test_joints_of_real_motion_lie_on_the_silhouette(captured: Motion, shared_data: Path):
    settings = Settings(
        seed=1, skins=shared_data / "skins", backgrounds=shared_data / "backgrounds"
    )
    source = People(captured.poses[::1900], settings)
    lost = [joint for n in range(len(source)) for joint in off_the_body(source[n])]
    assert not lost, lost


def test_what_stands_before_a_person_hides_joints(motion: Motion):
    source = People(motion.poses[::9], Settings(seed=5, occluded=1.0, truncated=0.0, wild=0.0))
    bare = People(motion.poses[::9], Settings(seed=5, occluded=0.0, truncated=0.0, wild=0.0))
    covered = [
        (source[n].visibility == HIDDEN).sum() - (bare[n].visibility == HIDDEN).sum()
        for n in range(8)
    ]
    assert min(covered) >= 0 and max(covered) > 1
    assert (bare[0].visibility == SEEN).sum() > 8


def test_a_truncated_person_ends_at_the_pictures_edge(motion: Motion):
    source = People(motion.poses[::9], Settings(seed=5, occluded=0.0, truncated=1.0))
    black = []
    for person in (source[n] for n in range(6)):
        width, height = person.camera.size.tolist()
        x, y = person.keypoints.T
        outside = (x < 0) | (y < 0) | (x > width) | (y > height)
        assert outside.any() and (person.visibility[outside] == OUTSIDE).all()
        column, row = np.meshgrid(np.arange(CROP_WIDTH) + 0.5, np.arange(CROP_HEIGHT) + 0.5)
        scale = min(CROP_WIDTH / person.box[2], CROP_HEIGHT / person.box[3])
        full_x = person.box[0] + (column - CROP_WIDTH / 2) / scale
        full_y = person.box[1] + (row - CROP_HEIGHT / 2) / scale
        beyond = (
            (full_x < -0.01) | (full_y < -0.01) | (full_x > width + 0.01) | (full_y > height + 0.01)
        )
        assert (person.picture[beyond] == 0).all()  # as a crop of a file has it
        black.append(beyond.mean())
    assert max(black) > 0.03


def test_no_cut_leaves_fewer_than_six_joints():
    joints = np.zeros((len(SKELETON), 3))
    joints[:, 1] = np.linspace(200, 1600, len(SKELETON))
    joints[COLUMN["left_wrist"]] = [900, 1000, 0]  # an arm held out is most of the width
    generator = torch.Generator().manual_seed(0)
    cameras = random_cameras(torch.tensor([[0.0, 900.0, 0.0]]).expand(40, 3), generator)
    left = []
    for n in range(40):
        camera = Camera(*(getattr(cameras, name)[n].double() for name in PARTS))
        cut = cut_picture(camera, joints, np.random.default_rng(n))
        points = cut.project(cut.to_camera(torch.from_numpy(joints)))
        left.append(int(((points >= 0) & (points <= cut.size)).all(-1).sum()))
    assert min(left) >= FEWEST_LEFT and len(set(left)) > 3  # and others are cut


def test_poses_of_another_shape_are_refused():
    with pytest.raises(InputError, match=r"\(N, 17, 3\)"):
        People(torch.zeros(4, 16, 3))


def test_contact_sheet(people: People, tmp_path: Path):
    draw_crops([people[0], people[1]], SKELETON, tmp_path / "sheet.png", columns=2)
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (CROP_HEIGHT, 2 * CROP_WIDTH, 3)


# --- packed sets ---


def test_packing_and_back(people: People, tmp_path: Path):
    file = tmp_path / "set.people"
    pack((people[n] for n in (5, 2, 9)), file, asdict(people.settings))
    assert [path.name for path in tmp_path.iterdir()] == ["set.people"]  # no temporary file stays
    packed = PackedPeople(file)
    assert len(packed) == 3 and packed.index.tolist() == [5, 2, 9] and packed.settings["seed"] == 3
    for n in (2, 0, 1):
        read, made = packed[n], people[int(packed.index[n])]
        np.testing.assert_array_equal(read.pose, made.pose.astype(np.float32))
        np.testing.assert_array_equal(read.keypoints, made.keypoints.astype(np.float32))
        np.testing.assert_array_equal(read.visibility, made.visibility)
        np.testing.assert_array_equal(read.box, made.box)
        for name in ("focal", "centre", "size", "rotation", "translation"):
            torch.testing.assert_close(
                getattr(read.camera, name), getattr(made.camera, name), rtol=0, atol=0
            )
        assert np.abs(read.picture.astype(int) - made.picture).mean() < 5
    with pytest.raises(IndexError):
        packed[3]


def test_packed_sets_are_joined(people: People, tmp_path: Path):
    for name, chosen, group in (("a", (5, 2), "walk"), ("b", (9,), "sit")):
        made = [replace(people[n], group=group) for n in chosen]
        pack(made, tmp_path / name, {"about": name})
    _join([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    both, second = PackedPeople(tmp_path / "both"), PackedPeople(tmp_path / "b")
    assert both.index.tolist() == [5, 2, 9] and both.settings == {"about": "a"}
    assert [both[n].group for n in range(3)] == ["walk", "walk", "sit"]
    np.testing.assert_array_equal(both[2].picture, second[0].picture)
    np.testing.assert_array_equal(both[2].pose, second[0].pose)


def test_a_damaged_picture_is_found(people: People, tmp_path: Path):
    file = tmp_path / "set.people"
    pack([people[n] for n in (0, 1)], file, {})
    content = bytearray(file.read_bytes())
    content[8 + 700] ^= 1  # one bit of the first JPEG
    file.write_bytes(content)
    packed = PackedPeople(file)
    packed[1]
    with pytest.raises(InputError, match=r"set\.people: the picture of person 0 is damaged"):
        packed[0]


def test_a_file_that_is_not_whole_is_named(people: People, tmp_path: Path):
    file = tmp_path / "set.people"
    pack([people[0]], file, {})
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(InputError, match="not whole"):
        PackedPeople(file)
    pack([people[0]], file, {})
    content = bytearray(file.read_bytes())
    content[int(PackedPeople(file).description["arrays"]["pose"]) + 3] ^= (
        0x40  # another sign or exponent
    )
    file.unlink()
    file.write_bytes(content)
    with pytest.raises(InputError, match="not whole"):
        PackedPeople(file)
    with pytest.raises(InputError, match="cannot be read"):
        PackedPeople(tmp_path / "absent")
    with pytest.raises(InputError, match="nobody to pack"):
        pack([], tmp_path / "none", {})
    assert not (tmp_path / "none").exists()


def test_a_missing_package_is_named_with_its_remedy():
    with pytest.raises(InputError, match=r"pip install 'unihpe\[synthetic\]'"):
        extra("no_such_package_of_ours", "synthetic", "rendered people need it")
    assert SKELETON.name == "human36m17"
