"""The command line, in process and as a program: whole stories, one clear line for an error."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from figure import flat

from unihpe.errors import InputError

TINY = [
    word
    for pair in ("stage.0.steps=2", "stage.1.steps=3", "model.embedding=32")
    for word in ("--set", pair)
]


def test_train_evaluate_resume(unihpe, motion_file, tmp_path):
    out = tmp_path / "run"
    code, text, _ = unihpe("train", "quick", "-o", out, "--set", f"data.root={motion_file}", *TINY)
    assert code == 0 and "model.safetensors" in text
    report = tmp_path / "report.json"
    code, text, _ = unihpe(
        "eval", out, "--root", motion_file, "--samples", 3, "--stride", 5, "--json", report
    )
    assert code == 0 and "four fixed virtual cameras" in text and "recall @1" in text
    figures = json.loads(report.read_text())
    assert {"MPJPE point", "PA-MPJPE mean of 3", "MPJPE best of 3*"} <= figures["errors_mm"].keys()
    assert figures["poses"] == 48 and figures["errors_mm"]["MPJPE point"].keys() == {
        "two",
        "mean over groups",
    }
    code, _, _ = unihpe(
        "train", "quick", "-o", out, "--resume", "--set", f"data.root={motion_file}", *TINY
    )
    assert code == 0


def test_tensorboard_when_asked(unihpe, motion_file, tmp_path):
    pytest.importorskip("tensorboard")
    code, _, _ = unihpe(
        "train",
        "quick",
        "-o",
        tmp_path / "run",
        "--tensorboard",
        "--set",
        f"data.root={motion_file}",
        *TINY,
    )
    assert code == 0 and list((tmp_path / "run").glob("events*"))


def test_predict_from_a_keypoint_file(unihpe, trained, tmp_path):
    people = [
        {
            "image_id": n,
            "keypoints": flat("coco17"),
            "score": 1,
        }
        for n in range(3)
    ]
    people[1]["keypoints"] = [0.0] * 42 + people[1]["keypoints"][:9]
    file = tmp_path / "k.json"
    file.write_text(json.dumps(people))
    code, text, error = unihpe(
        "predict",
        "--keypoints",
        file,
        "--image-size",
        "640x600",
        "-o",
        tmp_path / "out",
        "--checkpoint",
        trained,
    )
    assert code == 1, "one person has three joints: done, but somebody was left out"
    assert "2 people" in text and "assumed" in text and "thorax" in text
    assert "left out: 1, person 1: 3 joints seen" in error
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "poses.html",
        "poses.json",
        "poses.npz",
        "poses.png",
    ]


@pytest.mark.parametrize("what", ["prior", "motion", "keypoints"])
def test_demo(unihpe, trained, motion_file, tmp_path, what):
    arguments = {
        "prior": [],
        "motion": [motion_file],
        "keypoints": [tmp_path / "k.npy", "--skeleton", "coco17", "--image-size", "500x500"],
    }[what]
    np.save(tmp_path / "k.npy", np.random.default_rng(0).uniform(100, 400, (2, 17, 2)))
    code, text, _ = unihpe("demo", *arguments, "-o", tmp_path / "out", "--checkpoint", trained)
    assert code == 0 and "demo.png" in text
    assert ("MPJPE" in text) == (what != "keypoints")
    assert (tmp_path / "out" / "demo.html").stat().st_size > 10_000


def test_info_and_recipes(unihpe, trained):
    code, text, _ = unihpe("recipes")
    assert code == 0 and "lifting-paper" in text
    code, text, _ = unihpe("info", trained)
    assert code == 0 and "joints: human36m17\n" in text and "M parameters" in text
    assert "takes: 2D and 3D\n" in text and len(text.splitlines()) < 10
    code, text, _ = unihpe("info", trained, "--json")
    assert code == 0 and json.loads(text)["recipe"]["data"]["name"] == "motion"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nothing", "-o", "OUT"], "no recipe 'nothing'"),
        (["train", "quick", "-o", "OUT", "--set", "data.root=/nowhere"], "no data at /nowhere"),
        (["train", "quick", "-o", "OUT", "--set", "stage.0.lr=1"], "has no setting lr"),
        (["eval", "/nowhere", "--root", "."], "no checkpoint at /nowhere"),
        (["eval", "TRAINED", "--root", "MOTION", "--two-d", "blurred"], "it is exact or detected"),
        (
            ["eval", "TRAINED", "--root", "MOTION", "--data", "imagenet"],
            "known data sets are motion",
        ),
        (["eval", "TRAINED", "--root", "MOTION", "--split", "x"], "no motion in split 'x'"),
        (
            ["predict", "--keypoints", "/nowhere.json", "-o", "OUT", "--checkpoint", "TRAINED"],
            "no keypoint file",
        ),
        (
            [
                "predict",
                "--keypoints",
                "MOTION",
                "-o",
                "OUT",
                "--image-size",
                "0x9",
                "--checkpoint",
                "TRAINED",
            ],
            "must be above 0",
        ),
        (
            [
                "predict",
                "--keypoints",
                "MOTION",
                "-o",
                "OUT",
                "--image-size",
                "ninexnine",
                "--checkpoint",
                "TRAINED",
            ],
            "WIDTHxHEIGHT",
        ),
        (
            ["demo", "/nowhere", "-o", "OUT", "--checkpoint", "TRAINED"],
            "no keypoint file at /nowhere",
        ),
        (["demo", "-o", "FILE/out", "--checkpoint", "TRAINED"], "cannot write"),
    ],
)
def test_bad_input_is_one_line_exit_code_2_and_nothing_written(
    unihpe, trained, motion_file, tmp_path, arguments, message
):
    (tmp_path / "file").write_text("")
    names = {
        "OUT": tmp_path / "out",
        "TRAINED": trained,
        "MOTION": motion_file,
        "FILE/out": tmp_path / "file" / "out",
    }
    code, _, error = unihpe(*(names.get(word, word) for word in arguments))
    assert code == 2
    assert message in error and error.startswith("unihpe: ") and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_as_a_program_without_a_traceback():
    done = subprocess.run(
        [sys.executable, "-m", "unihpe", "info", "/nowhere"], capture_output=True, text=True
    )
    assert (
        done.returncode == 2
        and done.stderr == "unihpe: no checkpoint at /nowhere\n"
        and done.stdout == ""
    )


def test_models_with_mlp_decoders_predict_and_evaluate(unihpe, motion_file, tmp_path):
    changes = ["--set", f"data.root={motion_file}", *TINY]
    for dimension in ("2d", "3d"):
        changes += ["--set", f"model.decoder_{dimension}.kind=mlp"]
    assert unihpe("train", "quick", "-o", tmp_path / "run", *changes)[0] == 0
    np.save(tmp_path / "k.npy", np.random.default_rng(0).uniform(0, 100, (2, 17, 2)))
    options = ("--keypoints", tmp_path / "k.npy", "--skeleton", "coco17", "--image-size", "100x100")
    code, _, error = unihpe(
        "predict", *options, "--checkpoint", tmp_path / "run", "-o", tmp_path / "out"
    )
    assert code == 0, error
    found = json.loads((tmp_path / "out" / "poses.json").read_text())
    assert found["estimate"] == "the MLP decoder's answer" and "samples" not in found["people"][0]
    code, text, error = unihpe(
        "eval", tmp_path / "run", "--root", motion_file, "--samples", 3, "--stride", 5
    )
    assert code == 0 and "mean of 3" not in text, error
    code, _, error = unihpe("demo", "--checkpoint", tmp_path / "run", "-o", tmp_path / "demo")
    assert code == 2 and "no pose prior" in error


def test_samples_do_not_change_the_noise_of_the_data(unihpe, motion_file, trained, tmp_path):
    found = []
    for samples in (0, 2):
        report = tmp_path / f"{samples}.json"
        options = (
            "--root",
            motion_file,
            "--stride",
            5,
            "--two-d",
            "detected",
            "--samples",
            samples,
            "--json",
            report,
        )
        assert unihpe("eval", trained, *options)[0] == 0
        found.append(json.loads(report.read_text())["errors_mm"]["MPJPE point"])
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "quick", "-o", "x", "--device", "cuda:99"), "--device cuda:99"),
        (("train", "quick", "-o", "x", "--device", "foo"), "--device foo"),
        (("train", "quick", "-o", "x", "--set", "model.embedding=0"), "greater than 0"),
        (("train", "quick", "-o", "x", "--set", "model.decoder_3d.width=100"), "multiple of 32"),
        (("train", "quick", "-o", "x", "--set", "model.decoder_3d.width=32"), "from 64"),
        (("train", "quick", "-o", "x", "--set", "model.encoder_2d.dropout=5"), "less than 1"),
        (("train", "quick", "-o", "x", "--set", "stage.0.contrastive=0"), "has no loss"),
        (("train", "quick", "-o", "x", "--set", "stage.0.trains=[]"), "trains names nothing"),
    ],
)
def test_impossible_settings_are_one_line(unihpe, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, error = unihpe(*arguments)
    assert (
        code == 2 and message in error and error.count("\n") == 1 and not list(tmp_path.iterdir())
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("eval", "x", "--root", "y", "--samples", "-1"),
        ("eval", "x", "--root", "y", "--stride", "0"),
        ("train",),
        ("fly",),
        ("train", "--fast"),
    ],
)
def test_usage_errors_are_one_line(unihpe, arguments):
    code, _, error = unihpe(*arguments)
    assert code == 2 and error.startswith("unihpe: ") and error.count("\n") == 1, error


def test_no_arguments_show_the_help(unihpe):
    code, text, error = unihpe()
    assert "predict" in text + error and code in (0, 2)


@pytest.mark.parametrize(
    ("command", "extra"), [(("train",), "unihpe[plots]"), (("data", "render"), "unihpe[synthetic]")]
)
def test_the_help_names_extras_in_full(unihpe, command, extra, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")  # rich wraps the text to the terminal
    code, text, _ = unihpe(*command, "--help")
    assert code == 0 and extra in text and "\\[" not in text


def test_the_version(unihpe):
    import unihpe as package

    assert unihpe("--version")[:2] == (0, f"unihpe {package.__version__}\n")


def test_a_module_of_ones_own_is_imported_first(unihpe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "module_of_ones_own.py").write_text("print('imported')")
    code, text, _ = unihpe("--import", "module_of_ones_own", "recipes")
    assert code == 0 and text.startswith("imported\n") and "lifting-paper" in text
    code, _, error = unihpe("--import", "no_such_module", "recipes")
    assert code == 2 and error.startswith("unihpe: no_such_module cannot be imported")
    assert error.count("\n") == 1


def test_shipped_names_the_packages_checkpoint(unihpe, motion_file, tmp_path):
    """`train --from` has tests of its own; demo and plot read the name as predict does."""
    code, text, _ = unihpe("info", "shipped")
    assert code == 0 and "M parameters" in text
    np.save(tmp_path / "k.npy", np.random.default_rng(0).uniform(0, 100, (2, 17, 2)))
    options = ("--keypoints", tmp_path / "k.npy", "--skeleton", "coco17", "--image-size", "100x100")
    code, _, error = unihpe("eval", "shipped", "--root", motion_file, "--stride", 50)
    assert code == 0, error
    named = ("--checkpoint", "shipped", "-o", tmp_path / "out")
    code, _, error = unihpe("predict", *options, *named, "--samples", 0)
    assert code == 0, error


def test_auto_is_a_device_that_is_there(monkeypatch):
    from unihpe.model.device import usable_device

    for cuda, mps, expected in ((1, 1, "cuda"), (0, 1, "mps"), (0, 0, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: bool(cuda))
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: bool(mps))
        assert usable_device("auto") == expected
    with pytest.raises(InputError, match="device cuda:99: not usable here"):
        usable_device("cuda:99")


def test_eval_finds_the_data_set_or_says_which_it_could_be(unihpe, trained, motion_file, tmp_path):
    """One that is there alone is taken; of several, or none, one line says what to do."""
    (tmp_path / "x").mkdir()
    code, _, error = unihpe("eval", trained, "--root", tmp_path / "x")
    assert code == 2 and "holds no data set" in error and error.count("\n") == 1
    (tmp_path / "x" / "test.pack").write_bytes(b"")
    code, text, error = unihpe("eval", trained, "--root", tmp_path / "x")
    assert code == 2 and "is read as people" in text and "test.pack" in error
    (tmp_path / "x" / "data_3d_h36m.npz").write_bytes(b"")
    code, text, error = unihpe("eval", trained, "--root", tmp_path / "x")
    assert code == 2 and "people or human36m: say which with --data" in error
    assert error.count("\n") == 1 and not text
    code, text, error = unihpe("eval", trained, "--root", motion_file, "--stride", 50)
    assert code == 0 and "is read as motion" in text, error
