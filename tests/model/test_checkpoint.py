"""Checkpoints: round trips, and every way a file can be wrong."""

import json
import pickle

import pytest
import torch
from damaged import flipped
from safetensors.torch import save_file

from unihpe.errors import InputError
from unihpe.model.checkpoint import (
    FORMAT_VERSION,
    HEADER,
    Card,
    checkpoint_file,
    load_checkpoint,
    load_into,
    save_checkpoint,
)

CARD = Card(
    skeleton="human36m17",
    recipe={"about": "x"},
    data="d",
    licence="l",
    samples=3,
    scores={"mpjpe": 1.5},
)


def tensors():
    return {
        "a.weight": torch.randn(4, 3, generator=torch.Generator().manual_seed(0)),
        "a.bias": torch.tensor([1e-5, 70000.0]),
    }


def test_round_trip(tmp_path):
    path = tmp_path / "deep" / "model.safetensors"
    save_checkpoint(path, tensors(), CARD)
    loaded, card = load_checkpoint(path)
    assert card == CARD
    assert all(torch.equal(loaded[name], value) for name, value in tensors().items())
    assert json.loads(path.with_suffix(".json").read_text())["scores"] == {"mpjpe": 1.5}
    assert sorted(p.name for p in path.parent.iterdir()) == ["model.json", "model.safetensors"]


def test_half_keeps_vectors_whole(tmp_path):
    save_checkpoint(tmp_path / "m.safetensors", tensors(), CARD, half=True)
    loaded, _ = load_checkpoint(tmp_path / "m.safetensors")
    assert torch.equal(loaded["a.bias"], tensors()["a.bias"])  # 70000 does not fit float16
    assert torch.equal(loaded["a.weight"], tensors()["a.weight"].half().float())


def whole(tmp_path):
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, tensors(), CARD)
    return path


def test_missing(tmp_path):
    with pytest.raises(InputError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "none.safetensors")


@pytest.mark.parametrize("keep", [0, 5, 100, -7])
def test_truncated(tmp_path, keep):
    path = whole(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load_checkpoint(path)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


def test_pickles_are_never_opened(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load_checkpoint(path)
    torch.save({"state": torch.zeros(3)}, path)
    with pytest.raises(InputError, match="not a whole safetensors file"):
        load_checkpoint(path)


def test_other_safetensors_and_newer_formats(tmp_path):
    path = tmp_path / "m.safetensors"
    save_file(tensors(), path)
    with pytest.raises(InputError, match="not a unihpe checkpoint"):
        load_checkpoint(path)
    newer = json.loads(CARD.model_dump_json()) | {
        "format_version": FORMAT_VERSION + 1,
        "unheard_of": True,
    }
    save_file(tensors(), path, metadata={HEADER: json.dumps(newer)})
    with pytest.raises(InputError, match=f"format version {FORMAT_VERSION + 1}.*upgrade"):
        load_checkpoint(path)
    save_file(tensors(), path, metadata={HEADER: "{"})
    with pytest.raises(InputError, match="header is damaged"):
        load_checkpoint(path)


def test_a_flipped_byte_is_found_wherever_it_is(tmp_path):
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, {"a": torch.arange(40.0), "b": torch.tensor(3)}, CARD, half=True)
    whole, found = path.read_bytes(), 0
    expected, card = load_checkpoint(path)
    for damaged in flipped(whole):
        path.write_bytes(damaged)
        try:
            tensors, of_damaged = load_checkpoint(path)
        except InputError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            found += 1
        else:  # a key of the header that nobody asks for
            assert of_damaged == card and tensors.keys() == expected.keys()
            assert all(torch.equal(tensors[name], expected[name]) for name in tensors)
    assert found > len(whole) - 60


def test_weights_that_are_not_finite_are_refused(tmp_path):
    path = tmp_path / "diverged.safetensors"
    save_checkpoint(path, {"a": torch.ones(2, 2), "b": torch.tensor([1.0, torch.nan])}, CARD)
    with pytest.raises(InputError, match="diverged.safetensors: b is not finite; copy or train"):
        load_checkpoint(path)


def test_a_checkpoint_of_older_times_has_no_checksum(tmp_path):
    path = tmp_path / "old.safetensors"
    save_file(tensors(), path, metadata={HEADER: CARD.model_dump_json()})
    assert load_checkpoint(path)[1] == CARD


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        save_checkpoint(tmp_path / "file" / "m.safetensors", tensors(), CARD)


def test_weights_of_another_model_are_refused(tmp_path):
    model = torch.nn.Linear(3, 4)
    with pytest.raises(InputError, match="1 tensors missing, 1 unknown"):
        load_into(model, {"weight": torch.zeros(4, 3), "other": torch.zeros(4)}, tmp_path)
    with pytest.raises(InputError, match=r"weight is \(5, 3\), the model needs \(4, 3\)"):
        load_into(model, {"weight": torch.zeros(5, 3), "bias": torch.zeros(4)}, tmp_path)


def test_the_names_of_checkpoints(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    with pytest.raises(InputError, match="no checkpoint at .*model.safetensors"):
        checkpoint_file(tmp_path)
    path.touch()
    assert checkpoint_file(tmp_path) == checkpoint_file(str(path)) == path
    shipped = checkpoint_file()
    assert shipped.is_file() and shipped == checkpoint_file("shipped")
    monkeypatch.setattr("unihpe.model.checkpoint.resources.files", lambda package: tmp_path)
    with pytest.raises(InputError, match="this installation holds no checkpoint; name"):
        checkpoint_file("shipped")


def test_other_joints_are_named():
    CARD.require_skeleton("human36m17", "data.npz")
    with pytest.raises(InputError, match="data.npz has the joints of coco17, .* of human36m17"):
        CARD.require_skeleton("coco17", "data.npz")
