"""A stage can keep a share of the weights that it began with, or most joints as they are."""

import pytest
import torch
from test_pictures import folder, recipe  # noqa: F401 (a fixture)

from unihpe.body.skeleton import get_skeleton
from unihpe.errors import InputError
from unihpe.recipe import build_model
from unihpe.runs.train import train_recipe
from unihpe.training.freeze import begin_stage
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


def test_some_joints_learn_and_the_others_stay_as_they_are(folder, motion_file, tmp_path):  # noqa: F811
    whole = recipe(folder, motion_file)
    encoder = whole.model.image_encoder.model_copy(
        update={"kind": "movenet_lightning", "heatmaps_from": "person", "shrink": 1}
    )
    model = whole.model.model_copy(update={"image_encoder": encoder})
    own = {"trains": ("heatmap_head",), "joints": ("spine", "head"), "integral": 1.0, "ema": 0.0}
    stage = whole.stage[0].model_copy(update=own)
    whole = whole.model_copy(update={"model": model, "stage": (stage,)})
    before = build_model(whole).state_dict()
    after = train_recipe(whole, tmp_path / "run")[0].state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    heads = {"kpt_heatmap": 1, "kpt_regress": 2, "kpt_offset": 2}
    learned = {name.split(".")[3] for name in changed}
    assert {"kpt_heatmap", "kpt_regress"} <= learned <= heads.keys()  # offsets where it is near
    skeleton = get_skeleton("human36m17")
    for name in changed:
        head, part = name.split(".")[3], name.split(".")[4]
        assert part == "1"  # the last layer
        rows = (after[name] != before[name]).reshape(17, -1).any(1)
        assert {skeleton.joints[n] for n in rows.nonzero()[:, 0].tolist()} <= {"spine", "head"}
        assert heads[head] * 17 == len(after[name])


def test_joints_are_of_heat_maps_alone(folder, motion_file):  # noqa: F811
    whole = recipe(folder, motion_file)
    fields = whole.stage[0].model_dump() | {"joints": ["spine"]}
    with pytest.raises(ValueError, match="joints are of a stage that trains heat maps alone"):
        type(whole.stage[0])(**fields)
    stage = whole.stage[0].model_copy(update={"joints": ("spine",), "trains": ("heatmap_head",)})
    with pytest.raises(InputError, match="names joints, and the head is not MoveNet's"):
        begin_stage(build_model(whole), stage, fresh=True)


def test_the_read_out_is_restrained_at_the_end(folder, motion_file, tmp_path):  # noqa: F811
    whole = recipe(folder, motion_file)
    results = []
    for reach in (1.0, 0.25):
        own = {"reach": reach, "accumulate": 1, "learning_rate": 1e-2}
        stage = whole.stage[2].model_copy(update=own)
        run = whole.model_copy(update={"stage": (stage,)})
        results.append(train_recipe(run, tmp_path / str(reach))[0].state_dict())
    free, held = results
    added = ("image_encoder.project.", "image_encoder.joints.project.")
    for name, weights in free.items():
        factor = 0.25 if name.startswith(added) else 1.0
        if weights.dtype.is_floating_point:
            torch.testing.assert_close(held[name], factor * weights)
    assert free["image_encoder.joints.project.weight"].abs().max() > 0


def test_what_was_learned_is_restrained_before_the_old_is_mixed_in(folder, motion_file, tmp_path):  # noqa: F811
    whole = recipe(folder, motion_file)

    def read_out_after(name, start, **own):
        own = {"accumulate": 1, "learning_rate": 1e-2, **own}
        run = whole.model_copy(update={"stage": (whole.stage[2].model_copy(update=own),)})
        model, _ = train_recipe(run, tmp_path / name, start=start)
        return model.state_dict()["image_encoder.joints.project.weight"]

    before = read_out_after("before", None)
    start = tmp_path / "before" / "model.safetensors"
    learned = read_out_after("learned", start)
    held = read_out_after("held", start, reach=0.25, kept=0.5)
    torch.testing.assert_close(held, 0.5 * before + 0.5 * 0.25 * learned)
    assert not torch.allclose(before, 0.25 * before)
