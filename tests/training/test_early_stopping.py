"""The best weights of a stage by a held-out part: chosen, kept over a break, and where the part
comes from.
"""

from pathlib import Path

import pytest
import torch
from miniatures import write_humaneva

from unihpe.datasets import get_data_set
from unihpe.datasets.humaneva.reader import open_humaneva
from unihpe.datasets.settings import Part, open_source
from unihpe.errors import InputError
from unihpe.io.log import read_log
from unihpe.recipe import build_model, load_recipe
from unihpe.runs.train import train_recipe
from unihpe.runs.validation import validation
from unihpe.training.loop import BEST_BY, train
from unihpe.training.state import Run, Schedule
from unihpe.training.streams import StageStream, _at_distance, open_stream, training_stream

TINY = (
    "model.embedding=32",
    *(
        f"model.{part}.width=64"
        for part in ("encoder_2d", "encoder_3d", "decoder_2d", "decoder_3d")
    ),
    "stage.0.steps=4",
    "stage.0.batch_size=16",
    "stage.1.steps=12",
    "stage.1.batch_size=16",
    "stage.1.check_every=2",
    "pose_scale=300.0",
    "keypoint_scale=0.35",
)


def tiny(motion_file, *changes):
    return load_recipe("quick", (*TINY, f"data.root={motion_file}", *changes))


def copied(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def judged(recipe, out, given):
    """Train with these scores, one a validation: the result, and the averaged weights at each
    validation.
    """
    seen, left = [], iter(given)

    def validate(model):
        seen.append(copied(model))
        return {BEST_BY: next(left)}

    draw = StageStream(open_stream(recipe.data), [], None)
    run = Run(out, "x", schedule=Schedule(save_every=1000))
    model, progress = train(build_model(recipe), recipe.stage, draw, run, validate=validate)
    return model, progress, seen


def test_the_weights_with_the_best_score_are_the_result(motion_file, tmp_path):
    scores = [
        90.0,
        50.0,
        40.0,
        30.0,
        45.0,
        35.0,
        60.0,
    ]  # one after the first stage, then every second step
    model, progress, seen = judged(tiny(motion_file), tmp_path, scores)
    assert len(seen) == 7 and same(copied(model), seen[3]) and not same(seen[3], seen[-1])
    assert progress.samples == 16 * 16
    logged = [row[BEST_BY] for row in read_log(tmp_path / "log.jsonl") if BEST_BY in row]
    assert logged == scores


def test_patience_ends_the_stage(motion_file, tmp_path):
    recipe = tiny(motion_file, "stage.1.patience=2")
    model, progress, seen = judged(recipe, tmp_path, [90.0, 50.0, 40.0, 41.0, 42.0])
    assert len(seen) == 5 and same(copied(model), seen[2])
    assert progress.samples == (4 + 8) * 16 and progress.stage == 2


def test_the_next_stage_begins_from_the_best(motion_file, tmp_path):
    still = (
        "stage.0.check_every=1",
        "stage.1.learning_rate=1e-12",
        "stage.1.ema=0",
        "stage.1.steps=1",
        "stage.1.check_every=0",
    )
    _, _, seen = judged(tiny(motion_file, *still), tmp_path, [5.0, 3.0, 9.0, 9.0, 1.0])
    still = {
        name
        for name in seen[1]
        if name.startswith(("encoder", "decoder")) and "running" not in name and "num_" not in name
    }
    assert all((seen[4][name] - seen[1][name]).abs().max() < 1e-6 for name in still)
    assert any((seen[3][name] - seen[1][name]).abs().max() > 1e-4 for name in still)


class Stopped(Exception):
    """Raised by a test to break a run off."""


@pytest.mark.parametrize("at", [6, 8, 13])
def test_a_broken_run_chooses_the_same_weights(motion_file, tmp_path, at):
    recipe = tiny(
        motion_file, "stage.1.patience=3", "stage.1.steps=14", "stage.1.learning_rate=0.02"
    )
    schedule = Schedule(save_every=3, log_every=1)
    whole, progress = train_recipe(recipe, tmp_path / "whole", schedule=schedule)
    rows = []

    def stop(row):
        rows.append(row)
        if len(rows) == at:
            raise Stopped

    with pytest.raises(Stopped):
        train_recipe(recipe, tmp_path / "broken", schedule=schedule, report=stop)
    again, later = train_recipe(recipe, tmp_path / "broken", schedule=schedule, resume=True)
    assert same(whole.state_dict(), again.state_dict()) and progress.samples == later.samples
    assert read_log(tmp_path / "whole" / "log.jsonl") == read_log(tmp_path / "broken" / "log.jsonl")


def test_choosing_needs_something_to_choose_by(tmp_path):
    write_humaneva(tmp_path)
    data = tmp_path / "data_3d_humaneva15.npz"
    recipe = load_recipe(
        "humaneva", (f"data.root={tmp_path}", "stage.1.steps=1", "stage.1.batch_size=4")
    )
    assert data.exists() and validation(recipe, "cpu") is not None
    with pytest.raises(InputError, match="set data.held_out to a share"):
        judge = recipe.stage[1].model_copy(update={"steps": 1})
        train(
            build_model(recipe), (judge,), lambda stage, generator: [], Run(tmp_path / "run", "x")
        )
    with pytest.raises(InputError, match="set check_every"):
        load_recipe("quick", ("stage.0.patience=3",))
    with pytest.raises(InputError, match="motion has a split 'val' of its own"):
        load_recipe("quick", ("data.held_out=0.1",))
    for table in (
        'mix=[{name="humaneva", share=0.5, held_out=0.1}]',
        'poses={name="humaneva", held_out=0.1}',
    ):
        with pytest.raises(InputError, match=r"leave held_out out of \[\[mix\]\] and \[poses\]"):
            load_recipe("quick", (table,))


def test_what_is_held_out_is_the_end_of_each_action(tmp_path):
    """Train/S1 of the miniature: 9 frames of Walking and 2 of Jog, three cameras."""
    write_humaneva(tmp_path)
    train_part = open_humaneva(tmp_path).select(lambda view: view.split == "train")
    kept, last = train_part.held_out(0.3)

    def told(recorded):
        rows = zip(recorded.view.tolist(), recorded.frame.tolist(), strict=True)
        return sorted(
            (recorded.views[v].action, frame, recorded.views[v].camera) for v, frame in rows
        )

    cameras = ("C1", "C2", "C3")
    expected = [("Jog", 1, camera) for camera in cameras]
    assert told(last) == expected + [
        ("Walking", frame, camera) for frame in (6, 7, 8) for camera in cameras
    ]
    assert len(kept) + len(last) == len(train_part) == 33
    assert len(train_part.held_out(0.01)[1]) == 6  # a frame of each
    with pytest.raises(InputError, match="too short to hold out 0.99"):
        train_part.held_out(0.99)
    settings = load_recipe("humaneva", (f"data.root={tmp_path}", "data.held_out=0.3")).data
    asked = {
        "whole": Part("train"),
        "trained": Part("train", training=True),
        "held out": Part("train", held_out=True),
    }
    parts = {name: len(open_source(settings, part)) for name, part in asked.items()}
    assert parts == {"whole": 33, "trained": 21, "held out": 12}


def test_one_action_in_several_takes_is_one_stretch_of_time(tmp_path):
    """The last share is counted over the takes of an action together, in the set's order."""

    def two_chunks(world):
        world["Train/S1"] = {
            "Walking 1 chunk0": world["Train/S1"]["Walking 1 chunk0"],
            "Walking 1 chunk4": world["Train/S1"]["Jog 1 chunk2"],
        }

    def two_views(two_d):
        two_d["Train/S1"] = {
            "Walking 1 chunk0": two_d["Train/S1"]["Walking 1 chunk0"],
            "Walking 1 chunk4": two_d["Train/S1"]["Jog 1 chunk2"],
        }

    write_humaneva(tmp_path, change_3d=two_chunks, change_2d=two_views)
    source = open_humaneva(tmp_path).select(lambda view: view.split == "train")
    last = source.held_out(0.3)[1]
    names = [last.views[v].sequence for v in last.view.tolist()]
    assert sorted(set(zip(names, last.frame.tolist(), strict=True))) == [
        *(("Walking 1 chunk0", frame) for frame in (7, 8)),
        ("Walking 1 chunk4", 0),
        ("Walking 1 chunk4", 1),
    ]


def test_people_of_a_batch_are_apart():
    generator = torch.Generator().manual_seed(0)
    pick, counts = _at_distance(torch.arange(103), 25), torch.zeros(103)
    for _ in range(4000):
        drawn = pick(3, generator)
        assert len(set((drawn % 25).tolist())) == 1 and len(set(drawn.tolist())) == 3
        counts[drawn] += 1
    assert counts.min() > 0.6 * counts.mean() and counts.max() < 1.4 * counts.mean()
    with pytest.raises(InputError, match="103 people, 25 apart, are too few for a batch of 6"):
        pick(6, generator)


def test_a_recipe_draws_apart(tmp_path):
    write_humaneva(tmp_path)
    settings = load_recipe(
        "humaneva", (f"data.root={tmp_path}", "data.apart=4", "data.held_out=0")
    ).data
    source, seen = open_source(settings, Part("train", training=True)), []
    read = source.read
    object.__setattr__(
        source,
        "read",
        lambda indices, generator: (seen.append(indices), read(indices, generator))[1],
    )
    draw = training_stream(source, settings)
    assert len(draw(8, torch.Generator().manual_seed(3))) == 8
    assert len(set((seen[0] % 4).tolist())) == 1 and len(set(seen[0].tolist())) == 8
    with pytest.raises(InputError, match="set balance to 0"):
        load_recipe("lifting", ("data.apart=25",))


def test_frames_are_apart_where_a_reader_mixes_the_views(tmp_path):
    """Rows in any order, as `rows.by_row` may give them."""
    write_humaneva(tmp_path)
    settings = load_recipe(
        "humaneva", (f"data.root={tmp_path}", "data.apart=4", "data.held_out=0")
    ).data
    whole, seen = open_humaneva(tmp_path).select(lambda view: view.split == "train"), []
    mixed = whole.kept(torch.randperm(len(whole), generator=torch.Generator().manual_seed(1)))
    read = mixed.read
    object.__setattr__(
        mixed,
        "read",
        lambda indices, generator: (seen.append(indices), read(indices, generator))[1],
    )
    draw, generator = training_stream(mixed, settings), torch.Generator().manual_seed(0)
    for _ in range(50):
        draw(8, generator)
    for drawn in seen:
        frames = mixed.view[drawn] * 1000 + mixed.frame[drawn]  # of different views: far apart
        assert frames.sort().values.diff().min() >= 4


def test_where_a_validation_part_has_files_of_its_own(motion_file, tmp_path):
    """Damaged ones are told, absent ones are not missed."""

    def has_own_files(settings, split):
        return get_data_set(settings.name).has_own_files(Path(settings.root), split)

    data = load_recipe("quick", (f"data.root={motion_file}", "data.split=test")).data
    assert not has_own_files(data, "val")
    coco = data.model_copy(update={"name": "coco", "root": str(tmp_path)})
    file = tmp_path / "annotations" / "person_keypoints_val2017.json"
    file.parent.mkdir()
    file.write_text("{")
    assert not has_own_files(coco, "val")  # the archive of annotations holds both splits
    (tmp_path / "val2017").mkdir()
    assert has_own_files(coco, "val") and not has_own_files(coco, "train")
    threedpw = data.model_copy(update={"name": "threedpw", "root": str(tmp_path / "3dpw")})
    for split in ("train", "validation"):
        (tmp_path / "3dpw" / "sequenceFiles" / split).mkdir(parents=True)
    (tmp_path / "3dpw" / "sequenceFiles" / "train" / "a.pkl").write_bytes(b"")
    assert not has_own_files(threedpw, "val")
    (tmp_path / "3dpw" / "sequenceFiles" / "validation" / "b.pkl").write_bytes(b"cut")
    assert has_own_files(threedpw, "val")
    with pytest.raises(InputError, match="b.pkl"):
        recipe = load_recipe("quick", ("data.name=threedpw", f"data.root={tmp_path / '3dpw'}"))
        validation(recipe, "cpu")
