"""What keypoints look like: joint sets, units, sides, sizes; and which joints are missing."""

import json

import numpy as np
import pytest
import torch
from figure import figure, flat

import unihpe
from unihpe.body.skeleton import SKELETONS, get_skeleton
from unihpe.errors import InputError
from unihpe.inputs.detections import MIN_CONFIDENCE, Hints
from unihpe.inputs.keypoint_files import read_keypoints
from unihpe.inputs.keypoints import liftable_rows
from unihpe.inputs.plausible import doubts_of, sides_reason

SIZE = (500, 600)


def write(tmp_path, *people, **more):
    """AlphaPose's file of people who are flat lists."""
    rows = [{"image_id": "a.jpg", "keypoints": person, "score": 1} | more for person in people]
    (tmp_path / "k.json").write_text(json.dumps(rows))
    return tmp_path / "k.json"


def openpose(tmp_path, *people):
    content = {"people": [{"pose_keypoints_2d": person} for person in people]}
    (tmp_path / "k.json").write_text(json.dumps(content))
    return tmp_path / "k.json"


def with_scores(points, score=0.9):
    return np.column_stack([points, np.full(len(points), score)])


@pytest.mark.parametrize("name", SKELETONS)
def test_a_figure_looks_like_its_own_set(name):
    people = with_scores(figure(name))[None]
    assert doubts_of(people, name) == [] and sides_reason(people, get_skeleton(name)) is None


@pytest.mark.parametrize("other", ["human36m17", "human36m17_left_first", "mpi_inf_3dhp17"])
def test_17_joints_that_are_not_cocos_are_refused_with_the_candidates(tmp_path, other):
    path = write(tmp_path, flat(other), flat(other, left=20))
    with pytest.raises(InputError, match=f"not look like coco17's; name .*: .*{other}"):
        read_keypoints(path, image_size=SIZE)
    file = read_keypoints(path, other, SIZE)
    np.testing.assert_allclose(file.keypoints[0], figure(other), rtol=1e-6)


def test_25_joints_are_body_25_or_25b_or_neither(tmp_path):
    plain = read_keypoints(openpose(tmp_path, flat("body25")), None, SIZE)
    assert plain.skeleton.name == "body25" and plain.notes == ()
    other = read_keypoints(openpose(tmp_path, flat("body25b")), None, SIZE)
    assert other.skeleton.name == "body25b"
    assert other.notes == ("25 joints that do not look like body25's, but like body25b's",)
    np.testing.assert_allclose(other.keypoints[0], figure("body25b"))
    kinect = with_scores(np.random.default_rng(0).permutation(figure("body25")))
    with pytest.raises(InputError, match="not look like body25's; name .*: body25"):
        read_keypoints(openpose(tmp_path, kinect.ravel().tolist()), None, SIZE)
    with pytest.raises(InputError, match="has 25 joints, coco17 has 17"):
        read_keypoints(openpose(tmp_path, flat("body25b")), "coco17", SIZE)


def test_mmposes_17_joints_are_cocos_or_human36ms(tmp_path):
    for name in ("coco17", "human36m17"):
        person = {"keypoints": figure(name).tolist(), "keypoint_scores": [0.9] * 17}
        (tmp_path / "k.json").write_text(json.dumps([person]))
        assert read_keypoints(tmp_path / "k.json", None, SIZE).skeleton.name == name


def test_a_set_that_is_named_is_believed_but_said(tmp_path):
    shuffled = np.random.default_rng(0).permutation(figure("coco17"))
    np.save(tmp_path / "a.npy", shuffled)
    hints = Hints(sides="given")
    file = read_keypoints(tmp_path / "a.npy", "coco17", SIZE, hints)
    assert file.notes == ("17 joints that do not look like coco17's",)


def test_25b_is_told_by_half_of_a_body(tmp_path):
    feet_and_face = [
        n
        for n, j in enumerate(get_skeleton("body25b").joints)
        if "_" in j and (j.endswith(("toe", "heel", "eye", "ear")))
    ]
    path = openpose(tmp_path, flat("body25b", missing=feet_and_face))
    assert read_keypoints(path, image_size=SIZE).skeleton.name == "body25b"


def test_few_joints_are_no_evidence_against_a_set(tmp_path):
    person = flat("human36m17", missing=range(5, 17))
    assert len(read_keypoints(write(tmp_path, person), image_size=SIZE)) == 1


def shares(name):
    return with_scores(figure(name) / SIZE)


def test_shares_of_the_picture_are_refused_unless_they_are_called_so(tmp_path):
    path = write(tmp_path, shares("coco17").ravel().tolist())
    with pytest.raises(InputError, match="look like shares of the picture: --units shares"):
        read_keypoints(path, image_size=SIZE)
    file = read_keypoints(path, image_size=SIZE, how=Hints(units="shares"))
    np.testing.assert_allclose(file.keypoints[0], figure("coco17"), atol=1e-3)
    two = write(tmp_path, flat("coco17"), shares("coco17").ravel().tolist())
    file = read_keypoints(two, image_size=SIZE)
    assert file.person == ("0",) and file.left_out[0].startswith("a.jpg, person 1: coordinates")


def test_minus_one_to_one_is_refused_unless_it_is_called_so(tmp_path):
    both = np.array(SIZE) / 2
    for units, points in {
        "centred": figure("coco17") / both - 1,
        "screen": figure("coco17") / both[0] - [1, SIZE[1] / SIZE[0]],
    }.items():
        path = write(tmp_path, with_scores(points).ravel().tolist())
        with pytest.raises(InputError, match="--units centred .* or screen"):
            read_keypoints(path, image_size=SIZE)
        file = read_keypoints(path, image_size=SIZE, how=Hints(units=units))
        np.testing.assert_allclose(file.keypoints[0], figure("coco17"), atol=1e-3)


def test_metres_and_millimetres_are_no_pixels(tmp_path):
    pose = (figure("human36m17") - figure("human36m17")[0]) * 4.0  # mm, relative to the pelvis
    depth = np.linspace(-90, 120, 17)
    for scale, shift in ((1.0, 0), (1e-3, 0), (1.0, 4000.0), (1e-3, 4000.0)):
        three = np.column_stack([pose + shift / 20, depth + shift]) * scale
        for path in (write(tmp_path, three.ravel().tolist()), tmp_path / "a.npy"):
            np.save(tmp_path / "a.npy", three[None])
            with pytest.raises(InputError, match="a 3D pose"):
                read_keypoints(path, "human36m17", (1000, 1000))
    instance = {"keypoints": three.tolist(), "keypoint_scores": [0.9] * 17}
    (tmp_path / "k.json").write_text(json.dumps([instance]))
    with pytest.raises(InputError, match="three coordinates a joint: a 3D pose"):
        read_keypoints(tmp_path / "k.json", "human36m17", (1000, 1000))


def mark(x, y):
    return {"x": x, "y": y, "z": 0.0, "visibility": 0.9}


def test_mediapipes_world_landmarks_are_no_picture_landmarks(tmp_path):
    hips = figure("mediapipe33")[[23, 24]].mean(0)
    world = [mark(*point) for point in ((figure("mediapipe33") - hips) / 300).tolist()]
    picture = [mark(*point) for point in (figure("mediapipe33") / SIZE).tolist()]
    pixels = [mark(*point) for point in figure("mediapipe33").tolist()]
    path = tmp_path / "k.json"
    for content, message in (
        ({"pose_world_landmarks": [world]}, "world landmarks are a 3D pose"),
        ([{"image": "a.jpg", "poseWorldLandmarks": world}], "world landmarks are a 3D pose"),
        ({"pose_landmarks": [world]}, r"3D pose in metres \(world landmarks\)"),
        ([world], r"3D pose in metres \(world landmarks\)"),
        ({"pose_landmarks": [pixels]}, "look like pixels: --units pixels"),
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(InputError, match=message):
            read_keypoints(path, image_size=SIZE)
    file = read_keypoints(path, image_size=SIZE, how=Hints(units="pixels"))
    np.testing.assert_allclose(file.keypoints[0], figure("mediapipe33"))
    path.write_text(json.dumps({"pose_landmarks": [picture], "pose_world_landmarks": [world]}))
    file = read_keypoints(path, image_size=SIZE)
    np.testing.assert_allclose(file.keypoints[0], figure("mediapipe33"), atol=1e-3)


@pytest.mark.parametrize("name", ["coco17", "body25", "halpe26"])
def test_people_in_a_mirror_are_refused_unless_their_sides_are_swapped(tmp_path, name):
    seen = figure(name) * [-1, 1] + [500, 0]
    path = (openpose if name == "body25" else write)(tmp_path, with_scores(seen).ravel().tolist())
    with pytest.raises(InputError, match="in a mirror, .*--sides swapped .*--sides given"):
        read_keypoints(path, image_size=SIZE)
    given = read_keypoints(path, image_size=SIZE, how=Hints(sides="given"))
    np.testing.assert_allclose(given.keypoints[0], seen, rtol=1e-6)
    swapped = read_keypoints(path, image_size=SIZE, how=Hints(sides="swapped"))
    np.testing.assert_allclose(swapped.keypoints[0], figure(name), rtol=1e-6)


def test_an_unsure_face_is_no_evidence_of_a_mirror(tmp_path):
    """Of people seen from behind, detectors guess a face."""
    behind = with_scores(figure("coco17") * [-1, 1] + [500, 0])
    behind[:5, 2] = 0.4
    assert len(read_keypoints(write(tmp_path, behind.ravel().tolist()), image_size=SIZE)) == 1


@pytest.mark.parametrize("name", ["coco17", "human36m17"])
def test_legs_of_the_other_side_are_refused(tmp_path, name):
    skeleton, points = get_skeleton(name), with_scores(figure(name))
    legs = [n for n, j in enumerate(skeleton.joints) if j.endswith(("hip", "knee", "ankle"))]
    points[legs] = points[[skeleton.mirror[n] for n in legs]]
    np.save(tmp_path / "a.npy", points)
    with pytest.raises(InputError, match="hips face another way than shoulders"):
        read_keypoints(tmp_path / "a.npy", name, SIZE)


def test_who_reaches_beyond_the_picture_is_left_out(tmp_path):
    aside = [200 * n for n in range(2)]
    path = write(tmp_path, *(flat("coco17", left=left) for left in aside))
    file = read_keypoints(path, image_size=(400, 600))
    assert file.person == ("0",)
    assert (
        "a.jpg, person 1: 7 of 17 joints lie beyond the edges of the 400 × 600" in file.left_out[0]
    )
    with pytest.raises(InputError, match=r"lie beyond the edges .* and 1 more"):
        read_keypoints(path, image_size=(300, 200))
    assert len(read_keypoints(path, image_size=(300, 200), how=Hints(units="pixels"))) == 2


def test_one_joint_beyond_the_edge_is_a_joint_of_a_person(tmp_path):
    person = with_scores(figure("coco17"))
    person[9, 0] = 700
    assert len(read_keypoints(write(tmp_path, person.ravel().tolist()), image_size=SIZE)) == 1


def test_people_who_cannot_be_read_are_left_out_and_the_others_are_not(tmp_path):
    infinite = [1e999, *flat("coco17")[1:]]
    odd = [[], None, "abc", flat("coco17")[:-1], flat("mpii16"), infinite, [[1, 2]], {}]
    file = read_keypoints(write(tmp_path, flat("coco17"), *odd, flat("coco17")), image_size=SIZE)
    assert file.person == ("0", "9") and len(file.left_out) == len(odd)
    reasons = dict(line.removeprefix("a.jpg, person ").split(": ", 1) for line in file.left_out)
    assert reasons["1"] == reasons["2"] == "no keypoints" and "infinite" in reasons["6"]
    assert "has 16 joints, coco17 has 17" in reasons["5"]
    rows, skipped = liftable_rows(file, get_skeleton("human36m17"))
    assert rows == [0, 1] and skipped == [*file.left_out]
    with pytest.raises(InputError, match="a.jpg, person 0: no keypoints and 2 more"):
        read_keypoints(write(tmp_path, *odd[:3]), image_size=SIZE)


@pytest.mark.parametrize("marker", [0.0, -1.0])
def test_joints_at_a_tools_own_spot_are_missing_whatever_their_score(tmp_path, marker):
    person = with_scores(figure("coco17"), 0.3)
    person[[9, 10], :2] = marker
    scored = read_keypoints(write(tmp_path, person.ravel().tolist()), image_size=SIZE)
    assert scored.notes == ("2 scored joints at (0, 0) or (-1, -1) are taken as missing",)
    person[[9, 10], 2] = 0
    plain = read_keypoints(write(tmp_path, person.ravel().tolist()), image_size=SIZE)
    assert plain.notes == ()
    np.testing.assert_array_equal(scored.confidence, plain.confidence)
    np.testing.assert_array_equal(scored.keypoints, plain.keypoints)
    assert (scored.confidence[0, [9, 10]] == 0).all()


@pytest.mark.parametrize("number", ["x", "y", "score"])
@pytest.mark.parametrize("value", [None, float("nan")])
def test_nothing_in_the_place_of_a_number_is_a_missing_joint(tmp_path, number, value):
    person = flat("coco17")
    person[3 * 9 + ["x", "y", "score"].index(number)] = value
    file = read_keypoints(write(tmp_path, person), image_size=SIZE)
    assert file.confidence[0, 9] == 0 and int((file.confidence > 0).sum()) == 16


def test_negative_scores_are_missing_joints(tmp_path):
    person = flat("coco17")
    person[3 * 9 + 2] = -1
    file = read_keypoints(write(tmp_path, person), image_size=SIZE)
    assert file.confidence[0, 9] == 0 and file.notes == ()


def test_scores_that_are_no_probabilities_are_said_once(tmp_path):
    people = [with_scores(figure("coco17"), score) for score in (3.5, 7.0)]
    people[0][4, 2] = -2.5
    file = read_keypoints(write(tmp_path, *(p.ravel().tolist() for p in people)), image_size=SIZE)
    assert file.notes == (
        "scores from -2.5 to 7 are no probabilities: above 1 counts as 1, below 0 as missing",
    )
    assert file.confidence[0, 4] == 0 and (file.confidence[1] == 1).all()


def test_joints_below_the_least_confidence_are_missing(tmp_path):
    person = with_scores(figure("coco17"))
    person[[9, 10], 2] = MIN_CONFIDENCE - 0.01, MIN_CONFIDENCE
    path = write(tmp_path, person.ravel().tolist())
    file = read_keypoints(path, image_size=SIZE)
    assert file.confidence[0, 9] == 0 and file.confidence[0, 10] > 0
    assert f"below {MIN_CONFIDENCE:g} are taken as missing, 1 in all" in file.notes[0]
    all_in = read_keypoints(path, image_size=SIZE, how=Hints(min_confidence=0.0))
    assert (all_in.confidence > 0).all() and not all_in.notes
    with pytest.raises(InputError, match="only 1 of its joints have confidence 0.95 or more"):
        person[0, 2] = 0.99
        path = write(tmp_path, person.ravel().tolist())
        read_keypoints(path, image_size=SIZE, how=Hints(min_confidence=0.95))


ROW = {"image_id": "a.jpg", "keypoints": flat("coco17")}
INSTANCE = {"keypoints": figure("coco17").tolist(), "keypoint_scores": [0.9] * 17}
COLUMNS = dict(zip("xy", figure("coco17").T.tolist(), strict=True))


@pytest.mark.parametrize("odd", [None, 5, [], {}])
@pytest.mark.parametrize(
    "content",
    [
        lambda odd: [odd, ROW],
        lambda odd: {"annotations": [ROW | {"id": 1}, odd]},
        lambda odd: {"people": [odd, {"pose_keypoints_2d": flat("body25")}]},
        lambda odd: {"a.jpg": {"bodies": [{"joints": flat("coco18")}, odd]}},
        lambda odd: [INSTANCE, odd],
        lambda odd: {"instance_info": [{"instances": [INSTANCE, odd]}]},
        lambda odd: [{"name": "person", "class": 0, "keypoints": COLUMNS}, {"name": "person"}],
    ],
    ids=["alphapose", "coco", "openpose", "cmu", "mmpose", "demo", "ultralytics"],
)
def test_an_entry_that_is_none_is_left_out(tmp_path, content, odd):
    (tmp_path / "k.json").write_text(json.dumps(content(odd)))
    file = read_keypoints(tmp_path / "k.json", image_size=SIZE)
    assert len(file) == 1 and len(file.left_out) == 1


@pytest.mark.parametrize(
    ("scale", "shift", "what"),
    [
        (1 / 1000, 0.0, "shares of the picture"),
        (2 / 1000, -1.0, "-1 to 1"),
    ],
)
def test_arrays_that_are_no_pixels_are_refused(scale, shift, what):
    """Arrays say no units, and a person of half a pixel is lifted to nonsense without a word."""
    predictor = unihpe.load("shipped:lifting")
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(2, 17, 2, generator=generator) * 600 + 100
    predictor.lift(pixels, (1000, 1000))
    pixels[1] = pixels[1] * scale + shift
    for ask in (
        predictor.lift,
        lambda points, size: predictor.embed(keypoints=points, image_size=size),
    ):
        with pytest.raises(InputError, match=f"person 1: .*{what}.* convert them first"):
            ask(pixels, (1000, 1000))
