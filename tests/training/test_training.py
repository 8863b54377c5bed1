"""Training: it learns, it resumes bit for bit (a killed process included), it refuses what it
should.
"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from unihpe.body.batch import Modality
from unihpe.datasets.settings import Part, open_source
from unihpe.errors import InputError
from unihpe.io.log import read_log
from unihpe.model.checkpoint import load_checkpoint, save_checkpoint
from unihpe.model.device import mixed_precision
from unihpe.recipe import build_model, load_recipe
from unihpe.runs.start import load_start
from unihpe.runs.train import card_of, train_recipe
from unihpe.training.loop import _learning_rate
from unihpe.training.objective import stage_losses
from unihpe.training.seeds import step_seed
from unihpe.training.stage import Stage
from unihpe.training.state import Schedule
from unihpe.training.streams import training_stream

TINY = (
    "model.embedding=32",
    "model.encoder_2d.width=32",
    "model.encoder_3d.width=32",
    "model.decoder_2d.width=64",
    "model.decoder_3d.width=64",
    "stage.0.steps=6",
    "stage.0.batch_size=32",
    "stage.1.steps=14",
    "stage.1.batch_size=32",
)


def tiny(motion_file, *changes):
    return load_recipe("quick", (*TINY, f"data.root={motion_file}", *changes))


def weights(folder):
    return load_checkpoint(folder / "model.safetensors")[0]


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(motion_file, tmp_path):
    for name, changes in (("a", ()), ("b", ()), ("c", ("seed=1",))):
        train_recipe(tiny(motion_file, *changes), tmp_path / name)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_the_log_tells_every_term(motion_file, tmp_path):
    rows = []
    train_recipe(
        tiny(motion_file), tmp_path / "a", schedule=Schedule(log_every=1), report=rows.append
    )
    assert rows == read_log(tmp_path / "a" / "log.jsonl")
    assert [row["step"] for row in rows] == [*range(1, 7), *range(1, 15)]
    assert {"pair 2d-3d", "score pose_2d→pose_3d", "point pose_2d→pose_3d", "temperature"} <= rows[
        -1
    ].keys()
    assert rows[-1]["validation mpjpe"] > 0 and rows[-1]["samples"] == 20 * 32


def test_alignment_trains_the_encoders_alone(motion_file, tmp_path):
    recipe = tiny(motion_file, "stage.1.steps=1", "stage.1.learning_rate=1e-12")
    before = build_model(recipe).state_dict()
    after = weights_after(recipe, tmp_path)
    moved = {
        name.split(".")[0] for name in before if (before[name] - after[name]).abs().max() > 1e-6
    }
    assert {"encoder_2d", "encoder_3d"} <= moved
    assert not {"decoder_2d", "decoder_3d"} & moved


def weights_after(recipe, tmp_path):
    model, _ = train_recipe(
        recipe.model_copy(
            update={"stage": tuple(s.model_copy(update={"ema": 0.0}) for s in recipe.stage)}
        ),
        tmp_path / "run",
    )
    return model.state_dict()


class Stopped(Exception):
    """Raised by a test to break a run off."""


@pytest.mark.parametrize("at", [3, 9, 17])
def test_a_broken_run_resumed_ends_with_the_same_weights(motion_file, tmp_path, at):
    schedule = Schedule(save_every=2, log_every=1)
    train_recipe(tiny(motion_file), tmp_path / "whole", schedule=schedule)
    seen = []

    def stop(row):
        seen.append(row)
        if len(seen) == at:
            raise Stopped

    with pytest.raises(Stopped):
        train_recipe(tiny(motion_file), tmp_path / "broken", schedule=schedule, report=stop)
    train_recipe(tiny(motion_file), tmp_path / "broken", schedule=schedule, resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))
    strip = [
        (row["stage"], row["step"], row["loss"])
        for row in read_log(tmp_path / "broken" / "log.jsonl")
    ]
    assert strip == [
        (row["stage"], row["step"], row["loss"])
        for row in read_log(tmp_path / "whole" / "log.jsonl")
    ]


SCRIPT = """
import sys, torch
from pathlib import Path
from unihpe.recipe import load_recipe
from unihpe.runs.train import train_recipe
from unihpe.training.state import Schedule
torch.set_num_threads(1)
changes = tuple(sys.argv[3:])
out = Path(sys.argv[1])
resume = (out / "training.pt").exists()
schedule = Schedule(save_every=1, log_every=1)
train_recipe(load_recipe("quick", changes), out, schedule=schedule, resume=resume)
"""


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.4])
def test_a_killed_process_resumed_ends_with_the_same_weights(motion_file, tmp_path, delay):
    """SIGKILL at any moment, again and again: saving is one rename."""
    changes = (*TINY, "stage.1.steps=60", f"data.root={motion_file}")
    command = [sys.executable, "-c", SCRIPT]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, str(tmp_path / "whole"), "-", *changes], check=True, env=env)
    out = tmp_path / "killed"
    process = subprocess.Popen([*command, str(out), "-", *changes], env=env)
    while process.poll() is None and not (out / "training.pt").exists():
        time.sleep(0.005)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "model.safetensors").exists(), "the run ended before it could be killed"
    subprocess.run([*command, str(out), "-", *changes], check=True, env=env)
    assert same(weights(tmp_path / "whole"), weights(out))


def test_an_existing_run_is_not_overwritten_and_another_recipe_not_resumed(motion_file, tmp_path):
    train_recipe(tiny(motion_file), tmp_path / "a")
    with pytest.raises(InputError, match="already holds a training run"):
        train_recipe(tiny(motion_file), tmp_path / "a")
    with pytest.raises(InputError, match="another recipe"):
        train_recipe(tiny(motion_file, "stage.1.learning_rate=0.5"), tmp_path / "a", resume=True)
    with pytest.raises(InputError, match="nothing to resume"):
        train_recipe(tiny(motion_file), tmp_path / "b", resume=True)


def test_a_damaged_state_is_refused(motion_file, tmp_path):
    train_recipe(tiny(motion_file), tmp_path / "a")
    state = tmp_path / "a" / "training.pt"
    state.write_bytes(state.read_bytes()[:2000])
    with pytest.raises(InputError, match="not a whole training state"):
        train_recipe(tiny(motion_file), tmp_path / "a", resume=True)


def test_fine_tuning_starts_from_a_checkpoint(motion_file, tmp_path):
    train_recipe(tiny(motion_file), tmp_path / "a")
    still = (
        "stage.0.learning_rate=1e-12",
        "stage.1.learning_rate=1e-12",
        "stage.0.steps=1",
        "stage.1.steps=1",
    )
    recipe = tiny(motion_file, *still)
    begun = load_start(recipe, tmp_path / "a")
    assert begun.card.samples == 640 and same(begun.tensors, weights(tmp_path / "a"))
    _, progress = train_recipe(recipe, tmp_path / "b", start=tmp_path / "a")
    tensors, card = load_checkpoint(tmp_path / "b" / "model.safetensors")
    assert card.samples == 640 + progress.samples
    assert card.recipe["pose_scale"] == pytest.approx(
        tensors["pose_scale"].item()
    )  # the kept scale, not the new data's
    with pytest.raises(InputError, match="another skeleton or width|built another way"):
        train_recipe(tiny(motion_file, "model.embedding=16"), tmp_path / "c", start=tmp_path / "a")


def broken_fine_tuning(motion_file, tmp_path):
    """A run that began from a checkpoint with scales of its own and broke off; and the"
    " same, whole."""
    train_recipe(tiny(motion_file, "pose_scale=321.0", "keypoint_scale=0.3"), tmp_path / "start")
    recipe, schedule = tiny(motion_file, "seed=1"), Schedule(save_every=2, log_every=1)
    train_recipe(recipe, tmp_path / "whole", start=tmp_path / "start", schedule=schedule)

    def stop(row):
        if row["samples"] == 9 * 32:
            raise Stopped

    with pytest.raises(Stopped):
        train_recipe(
            recipe, tmp_path / "broken", start=tmp_path / "start", schedule=schedule, report=stop
        )
    return recipe, tmp_path / "broken"


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("aged", [True, False])
def test_a_run_that_began_from_a_checkpoint_is_resumed_without_it(
    motion_file, tmp_path, named, aged
):
    recipe, broken = broken_fine_tuning(motion_file, tmp_path)
    start = tmp_path / "start" if named else None
    if aged:  # as before the beginning was noted
        state = torch.load(broken / "training.pt", weights_only=True)
        state.pop("origin", None)
        torch.save(state, broken / "training.pt")
    if aged and not named:
        with pytest.raises(
            InputError,
            match="another recipe; resume with that one and, if the run began from a"
            " checkpoint, --from it,",
        ):
            train_recipe(recipe, broken, resume=True)
        return
    if not named:
        (tmp_path / "start" / "model.safetensors").unlink()
    train_recipe(recipe, broken, start=start, resume=True)
    assert same(weights(tmp_path / "whole"), weights(broken))
    cards = [
        load_checkpoint(folder / "model.safetensors")[1] for folder in (tmp_path / "whole", broken)
    ]
    assert (
        cards[0] == cards[1]
        and cards[0].samples == 2 * 640
        and cards[0].recipe["pose_scale"] == 321.0
    )
    again, _ = train_recipe(recipe, broken, resume=True)  # a finished run too
    assert load_checkpoint(broken / "model.safetensors")[1] == cards[0]


def test_a_run_is_not_resumed_from_another_checkpoint(motion_file, tmp_path):
    recipe, broken = broken_fine_tuning(motion_file, tmp_path)
    card = card_of(tiny(motion_file), 7)
    save_checkpoint(tmp_path / "other.safetensors", weights(tmp_path / "start"), card)
    with pytest.raises(
        InputError,
        match="broken did not begin from .*other.safetensors as it is now: resume it"
        " without --from",
    ):
        train_recipe(recipe, broken, start=tmp_path / "other.safetensors", resume=True)
    train_recipe(tiny(motion_file), tmp_path / "fresh")
    with pytest.raises(InputError, match="fresh did not begin from"):
        train_recipe(
            tiny(motion_file), tmp_path / "fresh", start=tmp_path / "other.safetensors", resume=True
        )


@pytest.mark.parametrize("content", [{"a": torch.zeros(2)}, torch.zeros(3), {"fingerprint": "x"}])
def test_a_state_of_something_else_is_refused(motion_file, tmp_path, content):
    torch.save(content, tmp_path / "training.pt")
    with pytest.raises(
        InputError, match="training.pt: a torch file, but no training state of this unihpe"
    ) as caught:
        train_recipe(tiny(motion_file), tmp_path, resume=True)
    assert "\n" not in str(caught.value)


def test_a_stage_whose_losses_reach_nothing_says_so(motion_file, tmp_path):
    path = '[{source = "pose_2d", target = "pose_2d"}]'
    changes = (
        "stage.1.contrastive=0",
        'stage.1.trains=["decoder_3d"]',
        f"stage.1.decode={path}",
        "stage.0.steps=1",
    )
    with pytest.raises(
        InputError,
        match=r"stage joint trains decoder_3d, which none of its losses \(score"
        r" pose_2d→pose_2d\) reaches: add",
    ):
        train_recipe(tiny(motion_file, *changes), tmp_path / "a")


def test_a_diverging_run_says_so(motion_file, tmp_path):
    with pytest.raises(InputError, match="lower its learning_rate"):
        recipe = tiny(
            motion_file,
            "stage.0.steps=1",
            "stage.1.learning_rate=1e30",
            "stage.1.clip=1e30",
            "stage.1.warm_up=0",
        )
        train_recipe(recipe, tmp_path / "a")


@pytest.mark.parametrize("encoder", ["mlp", "transformer"])
@pytest.mark.parametrize(
    ("kind", "path", "prediction"),
    [
        ("mlp", "sub_vp", "epsilon"),
        ("diffusion", "sub_vp", "epsilon"),
        ("diffusion", "vp", "v"),
        ("diffusion", "ve", "x0"),
        ("diffusion", "linear", "flow"),
    ],
)
def test_every_variant_learns(motion_file, encoder, kind, path, prediction):
    changes = []
    for part in ("encoder_2d", "encoder_3d"):
        changes += [
            f"model.{part}.kind={encoder}",
            f"model.{part}.heads=4",
            f"model.{part}.feedforward=32",
            f"model.{part}.depth=1",
        ]
    for part in ("decoder_2d", "decoder_3d"):
        changes += [
            f"model.{part}.{k}={v}"
            for k, v in (("kind", kind), ("path", path), ("prediction", prediction))
        ]
    changes += [f"stage.1.decode.{n}.point=0.0" for n in range(4)]
    recipe = tiny(motion_file, *changes, "pose_scale=300.0", "keypoint_scale=0.35")
    stage = recipe.stage[1]
    draw = training_stream(open_source(recipe.data, Part("train", training=True)), recipe.data)
    model = build_model(recipe)
    batch = draw(64, torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(100):
        total = sum(stage_losses(model, batch, stage, torch.Generator().manual_seed(0)).values())
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        losses.append(total.item())
    assert sum(losses[-10:]) < 0.93 * sum(losses[:10])  # ε-prediction with a transformer is slowest


def test_other_skeletons_train_too(motion_file, tmp_path):
    """Fifteen joints: the number of joints is the skeleton's."""
    from unihpe.body.conversions import convert
    from unihpe.body.skeleton import get_skeleton
    from unihpe.datasets.motion.source import Motion, MotionSource, open_motion

    whole, target = open_motion(motion_file), get_skeleton("humaneva15")
    poses = convert(whole.poses, torch.ones(whole.poses.shape[:2]), whole.skeleton, target).points
    source = MotionSource(
        Motion(target, poses, whole.sequence, whole.names, whole.groups, whole.splits),
        "random",
        "both",
    )
    recipe = tiny(
        motion_file, "data.skeleton=humaneva15", "pose_scale=300.0", "keypoint_scale=0.35"
    )
    model = build_model(recipe)
    batch = training_stream(source, recipe.data)(16, torch.Generator().manual_seed(0))
    terms = stage_losses(model, batch, recipe.stage[1], torch.Generator().manual_seed(0))
    assert all(torch.isfinite(term) for term in terms.values())
    assert model.estimate(
        model.encode(batch, Modality.POSE_2D), Modality.POSE_2D, Modality.POSE_3D, batch
    ).shape == (16, 15, 3)
    _, progress = train_recipe(recipe, tmp_path / "a", schedule=Schedule(save_every=1000))
    assert (
        load_checkpoint(tmp_path / "a" / "model.safetensors")[1].skeleton == "humaneva15"
        and progress.samples > 0
    )
    with pytest.raises(InputError, match="smpl24 has joints that human36m17 cannot make"):
        train_recipe(tiny(motion_file, "data.skeleton=smpl24"), tmp_path / "b")


def test_temperature_is_clamped_to_the_stages_range(motion_file, tmp_path):
    recipe = tiny(
        motion_file,
        "stage.0.temperature=0.02",
        "stage.0.temperature_min=0.05",
        "stage.1.temperature_min=0.09",
    )
    rows = []
    train_recipe(recipe, tmp_path / "a", schedule=Schedule(log_every=1), report=rows.append)
    assert all(
        row["temperature"] >= (0.05 if row["stage"] == "align" else 0.09) - 1e-6 for row in rows
    )


def test_schedules_by_hand():
    stage = Stage(
        name="s", steps=100, batch_size=2, learning_rate=1.0, warm_up=10, schedule="cosine"
    )
    assert _learning_rate(stage, 0) == pytest.approx(0.1)
    assert _learning_rate(stage, 50) == pytest.approx(0.5)
    assert _learning_rate(stage.model_copy(update={"schedule": "constant"}), 99) == 1
    assert len({step_seed(s, k, n) for s in range(3) for k in range(3) for n in range(50)}) == 450


def test_the_card_tells_all(motion_file, tmp_path):
    train_recipe(tiny(motion_file), tmp_path / "a", half=True)
    card = json.loads((tmp_path / "a" / "model.json").read_text())
    assert (
        card["format_version"] == 1 and card["skeleton"] == "human36m17" and card["samples"] == 640
    )
    assert card["recipe"]["data"]["root"] == "" and card["recipe"]["pose_scale"] > 50


@pytest.mark.parametrize(
    ("capability", "half"),
    [("AVX512", True), ("AVX2", False), ("DEFAULT", False), ("NO AVX", False)],
)
def test_bfloat16_is_left_alone_where_it_costs_time(monkeypatch, capability, half):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    layer, x = torch.nn.Linear(4, 4), torch.ones(2, 4)
    with mixed_precision("cpu", wanted=True):
        assert layer(x).dtype == (torch.bfloat16 if half else torch.float32)
    with mixed_precision("cpu", wanted=False):
        assert layer(x).dtype == torch.float32
