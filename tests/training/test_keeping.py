"""A stage can keep a share of the weights that it began with."""

import pytest
import torch
from test_pictures import folder, recipe  # noqa: F401 (a fixture)

from unihpe.recipe import build_model
from unihpe.runs.train import train_recipe
from unihpe.training.state import Schedule


def first_stage(folder, motion_file, kept):  # noqa: F811
    whole = recipe(folder, motion_file)
    stage = whole.stage[1].model_copy(update={"kept": kept, "steps": 4})
    return whole.model_copy(update={"stage": (stage,)})


def test_the_result_lies_between_both_ends(folder, motion_file, tmp_path):  # noqa: F811
    begun = build_model(first_stage(folder, motion_file, 0.0)).state_dict()
    learned, mixed = (
        train_recipe(first_stage(folder, motion_file, kept), tmp_path / str(kept))[0].state_dict()
        for kept in (0.0, 0.25)
    )
    moved = 0
    for name, end in learned.items():
        if end.dtype.is_floating_point:
            wanted = end + 0.25 * (begun[name] - end)
            torch.testing.assert_close(mixed[name], wanted, atol=1e-6, rtol=1e-5)
            moved += not torch.equal(end, begun[name])
    assert moved > 10


def test_a_resumed_run_knows_what_it_began_with(folder, motion_file, tmp_path):  # noqa: F811
    whole = first_stage(folder, motion_file, 0.5)
    straight, _ = train_recipe(whole, tmp_path / "straight")

    def stop(row):
        if row["step"] == 3:
            raise KeyboardInterrupt

    eager = Schedule(save_every=2, log_every=1)
    with pytest.raises(KeyboardInterrupt):
        train_recipe(whole, tmp_path / "broken", schedule=eager, report=stop)
    again, _ = train_recipe(whole, tmp_path / "broken", schedule=eager, resume=True)
    both = zip(straight.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in both)
