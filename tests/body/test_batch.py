"""Evenly spaced indices, and the short names of the modalities."""

import pytest
import torch

from unihpe.body.batch import Modality, evenly_spaced


@pytest.mark.parametrize(
    ("total", "most", "expected"),
    [(5, 9, [0, 1, 2, 3, 4]), (10, 3, [0, 4, 9]), (7, 1, [0]), (0, 4, [])],
)
def test_evenly_spaced_by_hand(total, most, expected):
    indices = evenly_spaced(total, most)
    assert indices.tolist() == expected and indices.dtype == torch.int64


def test_evenly_spaced_never_repeats_nor_leaves_the_data():
    for total in (1_000, 10_973, 2_000_001):  # past 2²⁴ / 2000, float32 rounds to neighbours
        indices = evenly_spaced(total, 2000)
        assert indices.unique().numel() == min(total, 2000)
        assert (int(indices[0]), int(indices[-1])) == (0, total - 1)


def test_modalities_have_short_names():
    assert [modality.label for modality in Modality] == ["image", "2d", "3d"]
