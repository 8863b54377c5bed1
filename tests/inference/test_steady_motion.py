"""A clip's results over time: who is kept, gaps, smoothing, bones, places in space."""

from dataclasses import replace

import clip as clips
import numpy as np
import pytest
import torch

from unihpe.errors import InputError
from unihpe.inference.motion import _persons, chosen_people, filled, steadied, without_brief

SKELETON = clips.SKELETON


def shaky(results, size=15.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(results.pose.shape, generator=generator) * size
    noise -= noise[:, [SKELETON.index("pelvis")]].clone()
    far = 1 + 0.03 * torch.randn(len(results), 1, generator=generator)
    return replace(results, pose=results.pose + noise, translation=results.translation * far)


def acceleration(points):
    return (points[2:] - 2 * points[1:-1] + points[:-2]).norm(dim=-1).mean()


@pytest.mark.parametrize("smooth", ["savgol", "one-euro"])
def test_smoothing_takes_noise_and_leaves_motion(smooth):
    true = clips.clip(people=2, frames=60)
    steady = steadied(shaky(true), smooth)
    for person, own in steady.people.items():
        before, truth = shaky(true).people[person], true.people[person]
        extra = [acceleration(one.absolute) - acceleration(truth.absolute) for one in (own, before)]
        assert extra[0] < 0.3 * extra[1]
        apart = [(one.pose - truth.pose).norm(dim=-1).mean() for one in (own, before)]
        assert apart[0] < (0.75 if smooth == "savgol" else 1.5) * apart[1]
        away = [(one.translation - truth.translation).norm(dim=-1).mean() for one in (own, before)]
        assert away[0] < 0.6 * away[1]
        for parent, child in SKELETON.bones:
            lengths = (own.pose[:, child] - own.pose[:, parent]).norm(dim=-1)
            assert float(lengths.max() - lengths.min()) < 0.01
    assert f"smoothed ({smooth}); bones of one length" in steady.estimate


def test_hypotheses_stay_about_the_pose():
    results = clips.clip(people=1, frames=30, missing=[(1, 7), (1, 8)])
    apart = torch.randn(5, len(results), len(SKELETON), 3)
    whole = filled(replace(results, samples=results.pose + apart))
    steady = steadied(whole)
    kept = [n for n in range(len(whole)) if not whole.filled[n]]
    torch.testing.assert_close((steady.samples - steady.pose)[:, kept], apart, rtol=0, atol=1e-3)
    made = (steady.samples - steady.pose)[:, [7, 8]]
    torch.testing.assert_close(made, apart[:, [6, 6]], rtol=0, atol=1e-3)


@pytest.mark.parametrize("smooth", ["savgol", "one-euro"])
def test_a_frame_without_a_place_leaves_the_others_theirs(smooth):
    results = clips.clip(people=1, frames=40)
    hurt = replace(results, translation=results.translation.clone())
    hurt.translation[12], hurt.translation[20] = torch.nan, -hurt.translation[20]
    before, after = (steadied(one, smooth).translation for one in (results, hurt))
    assert (after - before).norm(dim=-1).max() < 0.05 * before[:, 2].mean()
    nowhere = replace(results, translation=torch.full((40, 3), torch.nan))
    assert steadied(nowhere, smooth).translation.isnan().all()


def test_what_is_off_is_off():
    results = shaky(clips.clip(frames=20))
    same = steadied(results, "off", bones=False)
    assert torch.equal(same.pose, results.pose) and same.estimate == results.estimate
    lengths = steadied(results, "off", bones=True)
    assert not torch.equal(lengths.pose, results.pose) and "smoothed" not in lengths.estimate
    with pytest.raises(InputError, match="savgol, one-euro, off, not 'kalman'"):
        steadied(results, "kalman")


def test_people_grow_in_depth_not_in_the_picture():
    """Who is made larger is put farther away, so that they look as large."""
    results = clips.clip(people=1, frames=20)
    uneven = torch.where(torch.arange(20) % 5 == 0, 0.8, 1.0)[:, None]
    smaller = replace(
        results,
        pose=results.pose * uneven[..., None],
        translation=results.translation * uneven,
    )
    steady = steadied(smaller, "off")
    np.testing.assert_allclose(steady.translation, results.translation, rtol=1e-4)
    np.testing.assert_allclose(steady.pose, results.pose, atol=0.05)


def test_long_gaps_part_a_motion():
    """What comes after a long gap does not pull at what was before."""
    results = clips.clip(people=1, frames=60, missing=[(1, n) for n in range(20, 40)])
    moved = replace(results, pose=results.pose.clone())
    moved.pose[20:] *= 1.5
    before, after = (steadied(one, bones=False).pose for one in (results, moved))
    torch.testing.assert_close(before[:20], after[:20])
    assert not torch.allclose(before[20:], after[20:])


def test_short_gaps_are_filled_and_marked():
    whole = clips.clip(people=2, frames=30)
    gaps = [(1, 7), (1, 8), (2, 25)]
    results = filled(replace(clips.clip(frames=30, missing=gaps)))
    assert len(results) == 60 and results.frame.tolist() == whole.frame.tolist()
    assert results.person == whole.person
    frames = results.frame.tolist()
    made = [
        (int(p), f)
        for p, f, own in zip(results.person, frames, results.filled.tolist(), strict=True)
        if own and (p, f) != ("2", 3)
    ]
    assert sorted(made) == gaps
    n = results.people["1"].frame.tolist().index(7)
    own, truth = results.people["1"], whole.people["1"]
    expected = truth.pose[6] * 2 / 3 + truth.pose[9] / 3
    torch.testing.assert_close(own.pose[n], expected)
    assert float(own.time[n]) == pytest.approx(7 / clips.RATE)
    assert (own.confidence[n] == 0).all() and own.keypoints[n].isfinite().all()


def test_filled_frames_have_the_time_that_others_have_there():
    gaps = [(1, 7), (1, 8), (2, 8)]
    results = clips.clip(people=2, frames=30, missing=gaps)
    late = torch.where(results.frame == 7, 0.02, 0.0).double()
    results = filled(replace(results, time=results.time + late))
    own, frames = results.people["1"], results.people["1"].frame.tolist()
    n = frames.index(7)
    seconds = 7 / clips.RATE + 0.02
    assert own.filled[n] and float(own.time[n]) == pytest.approx(seconds)
    share = (seconds * clips.RATE - 6) / 3
    torch.testing.assert_close(own.pose[n], own.pose[n - 1].lerp(own.pose[n + 2], share))
    assert float(own.time[n + 1]) == pytest.approx(8 / clips.RATE)


def test_long_gaps_and_ends_stay_empty():
    missing = [(1, n) for n in [0, 1, *range(10, 24), 29]]
    results = clips.clip(people=1, frames=30, missing=missing)
    assert len(filled(results)) == len(results)
    assert len(filled(clips.clip(people=1, frames=30, missing=missing[:5] + missing[-1:]))) == 27


def test_every_other_frame_has_no_gaps():
    results = clips.clip(people=1, frames=40)
    other = results.rows(range(0, 40, 2))
    assert len(filled(other, every=2)) == 20
    assert filled(other.rows([0, 1, 3, 4]), every=2).frame.tolist() == [0, 2, 4, 6, 8]


def test_who_flashes_up_is_left_out_and_others_are_counted():
    results = clips.clip(people=3, frames=30)
    keep = [n for n, p in enumerate(results.person) if p != "1" or results.frame[n] in (4, 5)]
    left = without_brief(results.rows(keep))
    assert set(left.person) == {"1", "2"} and len(left) == 60
    brief = results.rows([0, 3, 6])
    assert len(without_brief(brief)) == 3, "a short clip has nothing else"


def test_people_are_chosen():
    results = clips.clip(people=3, frames=20, missing=[(1, n) for n in range(12)])
    results.boxes[torch.tensor([p == "2" for p in results.person]), 2:] += 100
    assert set(chosen_people(results, "largest").person) == {"2"}
    assert set(chosen_people(results, "first").person) == {"2"}
    assert set(chosen_people(results, "3").person) == {"3"}
    assert chosen_people(results, "all") is results
    assert list(_persons(results)) == ["2", "3", "1"]
    with pytest.raises(InputError, match="--people 9: there are all, largest, first, 2, 3, 1"):
        chosen_people(results, "9")
