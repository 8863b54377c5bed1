"""docs/extending.md as printed: a backbone and a data set from outside the package."""

import json
import re
import shlex
import shutil
import sys
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from figure import flat

from unihpe.body.camera import Camera
from unihpe.body.skeleton import get_skeleton
from unihpe.cli import main
from unihpe.datasets.packed import PackedPeople
from unihpe.errors import InputError
from unihpe.model.backbones import build_backbone

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHORT = ("--set", "stage.0.steps=2", "--set", "stage.0.batch_size=4")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the page's files, as a user's current one."""
    for language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language:
            name = text.splitlines()[0].removeprefix("# ")
            (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    forget()


def forget():
    """As in a new process: nothing of the page has been imported."""
    for name in ("my_backbone", "my_data"):
        sys.modules.pop(name, None)


def commands(part):
    """The commands of one part of the page, by name."""
    lines = [line for _, text in BLOCK.findall(part) for line in text.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("unihpe ")]


def run(monkeypatch, words, code=0):
    """One command, in a process of its own as far as imports go."""
    forget()
    monkeypatch.setattr(sys, "argv", ["unihpe", *words, *(SHORT if "train" in words else ())])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == code


def backbone_part():
    page = PAGE.read_text(encoding="utf-8")
    return page[page.index("## A backbone") : page.index("## A data set")]


def data_part():
    page = PAGE.read_text(encoding="utf-8")
    return page[page.index("## A data set") :]


def write_people(folder):
    """Packed people to train on and to score, and a picture of one."""
    pack = Path(str(resources.files("unihpe").joinpath("checkpoints", "people.pack")))
    (folder / "people").mkdir()
    for split in ("train", "test"):
        shutil.copy(pack, folder / "people" / f"{split}.pack")
    picture = PackedPeople(pack)[6].picture
    cv2.imwrite(str(folder / "photo.jpg"), picture[..., ::-1])


@pytest.mark.parametrize("part", [backbone_part(), data_part()], ids=["backbone", "data set"])
def test_each_takes_under_60_lines(part):
    code = [text for language, text in BLOCK.findall(part) if language == "python"]
    assert len(code) == 1
    assert len(code[0].splitlines()) < 60


def test_a_backbone(folder, monkeypatch, capsys):
    write_people(folder)
    train, evaluate, predict = commands(backbone_part())
    run(monkeypatch, train)
    run(monkeypatch, evaluate)
    assert "image → 2D" in capsys.readouterr().out
    run(monkeypatch, predict)
    people = json.loads((folder / "out" / "poses.json").read_text())["people"]
    assert np.isfinite(people[0]["pose"]).all()


def test_a_checkpoint_imports_no_backbone(folder, monkeypatch, capsys):
    write_people(folder)
    train, evaluate, predict = commands(backbone_part())
    run(monkeypatch, train)
    for words in (evaluate, predict):
        capsys.readouterr()
        assert words[:2] == ["--import", "my_backbone"]
        run(monkeypatch, words[2:], code=2)
        (line,) = capsys.readouterr().err.splitlines()
        assert "my_backbone" in line
        assert "--import my_backbone" in line
        assert "my_backbone" not in sys.modules


def test_what_is_no_backbone_is_never_called(folder, monkeypatch, capsys):
    """A checkpoint could name any function of a module that is there anyway."""
    write_people(folder)
    monkeypatch.setattr("os.abort", lambda: pytest.fail("called"))
    words = [*commands(backbone_part())[0], "--set", "model.image_encoder.kind=os:abort"]
    run(monkeypatch, words, code=2)
    (line,) = capsys.readouterr().err.splitlines()
    assert "os:abort" in line


def test_a_function_says_that_it_returns_a_backbone(folder):
    module = folder / "my_backbone.py"
    text = module.read_text()
    module.write_text(
        text
        + "\n\ndef build() -> Backbone:\n    return Small()\n"
        + "\n\ndef untold():\n    return Small()\n"
    )
    assert build_backbone("my_backbone:build").channels == (32, 64)
    with pytest.raises(InputError, match="my_backbone:untold"):
        build_backbone("my_backbone:untold")


def write_npz(folder):
    """Two splits of people in the data set's own files, and keypoints of one person."""
    joints = len(get_skeleton("human36m17"))
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        pose = torch.from_numpy(rng.normal(0, 300, (40, joints, 3))).float()
        pose[..., 2] += 5000
        size = torch.full((40, 2), 1000.0)
        focal = torch.full((40,), 1145.0)
        np.savez(
            folder / f"{split}.npz",
            keypoints=Camera.simple(size, focal).project(pose).numpy(),
            pose=pose.numpy(),
            focal=focal.numpy(),
            size=size.numpy(),
            action=np.repeat(["walking", "sitting"], 20),
        )
    person = {"image_id": 1, "category_id": 1, "keypoints": flat("coco17"), "score": 1}
    (folder / "keypoints.json").write_text(json.dumps([person]))


def test_a_data_set(folder, monkeypatch, capsys):
    (folder / "FOLDER").mkdir()
    write_npz(folder / "FOLDER")
    shutil.move(folder / "FOLDER" / "keypoints.json", folder)
    train, evaluate, predict = commands(data_part())
    run(monkeypatch, train)
    capsys.readouterr()
    run(monkeypatch, evaluate)
    table = capsys.readouterr().out
    assert "walking" in table and "sitting" in table and "my_data" in table
    run(monkeypatch, predict)
    people = json.loads((folder / "out" / "poses.json").read_text())["people"]
    assert np.isfinite(people[0]["pose"]).all()


def test_a_data_set_without_its_files_says_so(folder, monkeypatch, capsys):
    (folder / "FOLDER").mkdir()
    run(monkeypatch, commands(data_part())[0], code=2)
    (line,) = capsys.readouterr().err.splitlines()
    assert "train.npz: no such file" in line
