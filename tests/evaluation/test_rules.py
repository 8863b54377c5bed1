"""Named protocols: hand-made predictions with known errors, through each of them."""

import pytest
import torch
from miniatures import write_humaneva
from torch.testing import assert_close

from unihpe.body.metrics import align, mpjpe, pa_mpjpe
from unihpe.body.skeleton import get_skeleton
from unihpe.datasets import DATA_SETS, get_data_set
from unihpe.datasets.human36m.views import second_take
from unihpe.datasets.protocol import EVERY_JOINT, LIMBS, Scored
from unihpe.datasets.recorded import View
from unihpe.errors import InputError
from unihpe.evaluation.lifting import by_group
from unihpe.evaluation.scores import _pa_reflected, scores
from unihpe.model.checkpoint import Card, save_checkpoint
from unihpe.recipe import build_model, load_recipe

H36M, MPI = get_skeleton("human36m17"), get_skeleton("mpi_inf_3dhp17")
SKELETONS = {
    "human36m": H36M,
    "mpi_inf_3dhp": MPI,
    "threedpw": H36M,
    "humaneva": get_skeleton("humaneva15"),
}


def poses(skeleton, n=3):
    return 400 * torch.randn(n, len(skeleton), 3, generator=torch.Generator().manual_seed(1))


def moved(truth, skeleton, joint, by):
    guess = truth.clone()
    guess[:, skeleton.index(joint)] += torch.tensor(by)
    return guess


NAMED = [(data, rules) for data, one in DATA_SETS.items() for rules in one.protocols]


def rules_of(data, name):
    return get_data_set(data).protocol(name)


@pytest.mark.parametrize(
    ("data", "rules"), NAMED, ids=[f"{data}-{rules.name}" for data, rules in NAMED]
)
def test_a_perfect_guess_and_one_joint_off(data, rules):
    """A wrist 300 mm off counts once among the joints that are scored; a joint that is not scored
    counts nothing.
    """
    skeleton = SKELETONS[data]
    truth = poses(skeleton)
    perfect = scores(truth.clone(), truth, skeleton, rules)
    off = scores(moved(truth, skeleton, "left_wrist", [300.0, 0.0, 0.0]), truth, skeleton, rules)
    for figure in rules.figures:
        name, count = figure.metric, len(figure.joints) or len(skeleton)
        if figure.metric == "MPJPE":
            assert_close(perfect[name], torch.zeros(3))
            assert_close(off[name], torch.full((3,), 300.0 / count))
        elif figure.metric == "3DPCK@150":
            assert_close(perfect[name], torch.full((3,), 100.0))
            assert_close(off[name], torch.full((3,), 100.0 * (count - 1) / count))
        elif figure.metric == "AUC":
            assert_close(perfect[name], torch.full((3,), 100.0 * 30 / 31))
            assert_close(off[name], torch.full((3,), 100.0 * 30 / 31 * (count - 1) / count))
        else:
            assert perfect[name].max() < 0.05 and off[name].min() > 1
    left_out = set(skeleton.joints) - {
        joint for figure in rules.figures for joint in figure.joints or skeleton.joints
    }
    for joint in left_out - {rules.root}:
        aside = scores(moved(truth, skeleton, joint, [0.0, 500.0, 0.0]), truth, skeleton, rules)
        assert all(torch.equal(aside[name], perfect[name]) for name in perfect)


def test_everything_is_relative_to_the_root_of_the_protocol():
    truth = poses(H36M)
    shifted = truth + torch.tensor([70.0, -20.0, 900.0])
    for name in ("spin-p1", "hmr-p1", "videopose3d"):
        assert scores(shifted, truth, H36M, rules_of("human36m", name))["MPJPE"].max() < 1e-2
    hips = truth.clone()
    hips[:, H36M.index("left_hip")] += torch.tensor(
        [140.0, 0.0, 0.0]
    )  # moves the mid-hip by 70, the pelvis not
    assert_close(
        scores(hips, truth, H36M, rules_of("human36m", "spin-p1"))["MPJPE"],
        torch.full((3,), 140.0 / 14),
    )
    by_hips = scores(hips, truth, H36M, rules_of("human36m", "hmr-p1"))["MPJPE"]
    assert_close(by_hips, torch.full((3,), (13 * 70.0 + 70.0) / 14))


def test_alignment_removes_what_it_says():
    truth = poses(H36M)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(2)))[0]
    turn = turn * torch.linalg.det(turn).sign()
    rules = rules_of("human36m", "videopose3d")
    turned, larger = (
        scores(truth @ turn.T, truth, H36M, rules),
        scores(1.3 * truth, truth, H36M, rules),
    )
    assert turned["PA-MPJPE"].max() < 0.05 and turned["N-MPJPE"].min() > 50
    assert (
        larger["PA-MPJPE"].max() < 0.05
        and larger["N-MPJPE"].max() < 0.05
        and larger["MPJPE"].min() > 50
    )
    mirrored = truth * torch.tensor([-1.0, 1.0, 1.0])
    zedo = scores(mirrored, truth, H36M, rules_of("threedpw", "zedo-17"))
    assert zedo["PA-MPJPE"].min() > 50 and zedo["PA-MPJPE, reflections allowed"].max() < 0.05
    other = poses(H36M) + 50 * torch.randn(3, 17, 3, generator=torch.Generator().manual_seed(4))
    assert_close(_pa_reflected(other, truth), pa_mpjpe(other, truth))  # no mirror image needed


def test_a_reflection_is_taken_where_it_fits_better_by_squares():
    generator = torch.Generator().manual_seed(0)
    truth, guess = (torch.randn(400, 17, 3, generator=generator) for _ in range(2))
    mirrored = guess * torch.tensor([-1.0, 1.0, 1.0])
    fits = [align(one, truth) for one in (guess, mirrored)]
    squares = torch.stack([(fit - truth).square().sum((1, 2)) for fit in fits])
    errors = torch.stack([mpjpe(fit, truth) for fit in fits])
    assert (squares.argmin(0) != errors.argmin(0)).sum() > 10  # the two ways to choose differ
    assert_close(_pa_reflected(guess, truth), errors.gather(0, squares.argmin(0)[None])[0])


def test_joints_that_the_truth_lacks_do_not_count():
    truth = poses(H36M)
    truth[:, H36M.index("spine")] = torch.nan
    guess = torch.nan_to_num(truth) + 0.0
    guess[:, H36M.index("left_wrist")] += torch.tensor([160.0, 0.0, 0.0])
    found = scores(guess, truth, H36M, EVERY_JOINT)
    assert_close(found["MPJPE"], torch.full((3,), 10.0))
    assert torch.isfinite(found["PA-MPJPE"]).all()


def test_which_views_count():
    def view(
        subject="S9", sequence="Directions", camera="60457274", action="Directions", split="test"
    ):
        return View(subject, action, sequence, camera, split, action)

    spin, hmr = rules_of("human36m", "spin-p2"), rules_of("human36m", "hmr-p2")
    assert (
        spin.wants(view())
        and not spin.wants(view(camera="54138969"))
        and not spin.wants(view(split="train"))
    )
    assert not hmr.wants(view()) and hmr.wants(
        view(sequence="Directions 1")
    )  # the number is not the take's
    assert not rules_of("human36m", "videopose3d").wants(view("S11"))
    p1 = rules_of("human36m", "hmr-p1")
    assert p1.wants(view("S11")) and not p1.wants(view("S11", camera="54138969"))
    assert rules_of("human36m", "videopose3d").wants(view("S9", "Greeting"))
    assert not rules_of("human36m", "videopose3d-without-drift").wants(view("S9", "Greeting"))
    walk = view("S1", "Walking 1 chunk0", "C1", "Walking", "val")
    assert rules_of("humaneva", "actions").wants(walk)
    assert not rules_of("humaneva", "actions").wants(
        view("S1", "Gestures 1 chunk0", "C1", "Gestures", "val")
    )
    taken = {
        name: second_take(view("S11", name))
        for name in ("SittingDown", "SittingDown 1", "Phoning 3", "Phoning 2")
    }
    assert taken == {
        "SittingDown": False,
        "SittingDown 1": True,
        "Phoning 3": False,
        "Phoning 2": True,
    }


def test_averages():
    values, groups = torch.tensor([1.0, 3.0, 10.0]), ["a", "a", "b"]
    assert by_group(values, groups) == {"a": 2.0, "b": 10.0, "mean over groups": 6.0}
    assert by_group(values, groups, "poses")["mean over poses"] == pytest.approx(14 / 3)


def test_joint_sets_and_words():
    smpl, official = rules_of("threedpw", "smpl-14"), rules_of("mpi_inf_3dhp", "official")
    assert len(LIMBS) == 12 and {len(set(figure.joints)) for figure in smpl.figures} == {14}
    assert set(official.figures[0].joints) <= set(MPI.joints)
    scored = Scored(layout="a layout", keypoints="gt", focal="true", joints="all 17")
    for _, rules in NAMED:
        words = rules.words(scored)
        assert words["name"] == rules.name and words["about"] and "split" in words["data"]
    said = rules_of("human36m", "spin-p2").words(scored)
    assert (
        "every 5th frame" in said["data"]
        and "60457274" in said["data"]
        and said["joints"].startswith("MPJPE over 14: left_hip")
    )
    with pytest.raises(InputError, match=r"has videopose3d, .*every-64th"):
        rules_of("human36m", "p1")
    with pytest.raises(InputError, match="one protocol only"):
        rules_of("coco", "p1")
    with pytest.raises(InputError, match="neck, head_top, which human36m17 does not have"):
        scores(poses(H36M), poses(H36M), H36M, rules_of("mpi_inf_3dhp", "official"))


def test_a_checkpoint_is_scored_by_name(unihpe, tmp_path):
    (tmp_path / "data").mkdir()
    write_humaneva(tmp_path / "data")
    small = tuple(
        f"model.{part}.width=64"
        for part in ("encoder_2d", "encoder_3d", "decoder_2d", "decoder_3d")
    )
    checkpoint = tmp_path / "model.safetensors"
    for name, skeleton in (
        ("humaneva", "humaneva15"),
        ("quick", "human36m17"),
    ):  # its own joints, and by name
        recipe = load_recipe(name, (*small, "pose_scale=250.0", "keypoint_scale=0.3"))
        card = Card(skeleton=skeleton, recipe=recipe.model_dump(mode="json"))
        save_checkpoint(checkpoint, build_model(recipe).state_dict(), card)
        options = ("--data", "humaneva", "--root", tmp_path / "data", "--json", tmp_path / "r.json")
        code, text, error = unihpe(
            "eval", checkpoint, *options, "--protocol", "actions", "--gallery", 0
        )
        assert code == 0 and "Walking, Jog, Box" in text and "S2 Box" in text, error
    code, _, error = unihpe("eval", checkpoint, *options, "--protocol", "actions", "--stride", 2)
    assert code == 2 and "leave --split and --stride out" in error
    code, _, error = unihpe("eval", checkpoint, *options, "--protocol", "p9")
    assert code == 2 and "humaneva has actions" in error
    code, text, _ = unihpe("data", "protocols", "threedpw")
    assert code == 0 and "zedo-17" in text and "reflection" in text
    code, _, error = unihpe("data", "protocols", "coco")
    assert code == 2 and "have" in error
