"""Smoothing: against SciPy and naive twins; noise shrinks, motion stays, bones keep one length."""

import numpy as np
import pytest

from unihpe.body.skeleton import get_skeleton
from unihpe.people.smooth import one_euro, savgol, steady_bones, without_spikes

SKELETON = get_skeleton("human36m17")
TIMES = np.arange(60) / 30


def noise(seed=0, shape=(60, 17, 3)):
    return np.random.default_rng(seed).normal(0, 20, shape)


def test_savitzky_golay_is_scipys_where_times_are_even():
    scipy = pytest.importorskip("scipy.signal")
    values = noise()
    for window, order, width in ((0.3, 2, 9), (0.4, 3, 13)):
        expected = scipy.savgol_filter(values, width, order, axis=0, mode="interp")
        np.testing.assert_allclose(savgol(values, TIMES, window, order), expected, atol=1e-8)


def test_savitzky_golay_keeps_polynomials_at_uneven_times():
    times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.08, 50))
    curve = (3 * times**3 - 40 * times**2 + 5)[:, None] * [1.0, -2.0]
    np.testing.assert_allclose(savgol(curve, times, 0.5, 3), curve, atol=1e-6)
    shaky = curve + noise(2, (50, 2))
    assert np.std(savgol(shaky, times, 0.5, 3) - curve) < 0.7 * np.std(shaky - curve)


def test_rare_samples_are_not_smoothed_over_more_than_the_window():
    """A phone in the dark: 30 frames a second, then 6."""
    times = np.concatenate([np.arange(60) / 30, 2 + np.arange(20) / 6])
    values = noise(8, (80, 2))
    smooth = savgol(values, times, 0.4, 3)
    for n in (30, 70):
        near = slice(n - 6, n + 7) if n == 30 else slice(n - 2, n + 3)
        fits = [np.polyfit(times[near] - times[n], one, 3)[-1] for one in values[near].T]
        np.testing.assert_allclose(smooth[n], fits, atol=1e-8)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 7])
def test_short_motions(count):
    values = noise(3, (count, 17, 3))
    for smoother in (savgol, one_euro, without_spikes):
        smooth = smoother(values, TIMES[:count])
        assert smooth.shape == values.shape and np.isfinite(smooth).all()
    np.testing.assert_allclose(savgol(values, TIMES[:count])[:2], values[:2], atol=60)


def naive_one_euro(values, times, cutoff, beta, speed_cutoff):
    """The paper's algorithm, a number at a time."""

    def share(hertz, step):
        tau = 1 / (2 * np.pi * hertz)
        return 1 / (1 + tau / step)

    out, speed = [values[0]], 0.0
    for n in range(1, len(values)):
        step = times[n] - times[n - 1]
        a = share(speed_cutoff, step)
        speed = a * (values[n] - out[-1]) / step + (1 - a) * speed
        b = share(cutoff + beta * abs(speed), step)
        out.append(b * values[n] + (1 - b) * out[-1])
    return out


def test_one_euro_by_hand():
    values = noise(4, (40, 2))
    times = np.cumsum(np.random.default_rng(5).uniform(0.02, 0.05, 40))
    smooth = one_euro(values, times, 1.5, 0.01, 2.0)
    for column in range(2):
        expected = naive_one_euro(values[:, column].tolist(), times, 1.5, 0.01, 2.0)
        np.testing.assert_allclose(smooth[:, column], expected)


def test_one_euro_knows_the_past_alone():
    values = noise(6)
    changed = values.copy()
    changed[30:] += 100
    np.testing.assert_array_equal(one_euro(values, TIMES)[:30], one_euro(changed, TIMES)[:30])


def test_spikes_go_and_motion_stays():
    way = np.stack([TIMES * 2000, np.sin(TIMES * 6) * 300, 0 * TIMES], 1)[:, None]
    hurt = way.copy()
    hurt[20] += 400
    np.testing.assert_array_equal(without_spikes(way, TIMES), way)
    calm = without_spikes(hurt, TIMES)
    assert np.abs(calm - way).max() < 80 and (calm != hurt).any(-1).sum() == 1
    np.testing.assert_array_equal(without_spikes(hurt, TIMES * 5), hurt)  # too slow to tell


def test_bones_get_one_length_and_keep_their_directions():
    from conftest import walker

    pose = walker(60).double().numpy() + noise(7)
    steady = steady_bones(pose, SKELETON.bones)
    for parent, child in SKELETON.bones:
        before, after = (x[:, child] - x[:, parent] for x in (pose, steady))
        length = np.linalg.norm(after, axis=-1)
        np.testing.assert_allclose(length, np.median(np.linalg.norm(before, axis=-1)))
        cosine = (before * after).sum(-1) / length / np.linalg.norm(before, axis=-1)
        np.testing.assert_allclose(cosine, 1)
    root = SKELETON.index("pelvis")
    np.testing.assert_array_equal(steady[:, root], pose[:, root])
