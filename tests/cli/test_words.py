"""What is printed is true of what was read, scored and drawn; and whole on a narrow terminal."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import unihpe
from unihpe.cli import evaluate, options
from unihpe.datasets.packed import PackedPeople, PeopleSource, pack
from unihpe.datasets.protocol import EVERY_JOINT, Scored
from unihpe.show import contact_sheet, scenes, sheets

PEOPLE = Path(unihpe.__file__).parent / "checkpoints" / "people.pack"
NOTE = "3 people without picture left out"


@pytest.fixture
def recorded(tmp_path):
    """A set packed of a recorded one that has no spine."""
    packed, people = PackedPeople(PEOPLE), []
    spine = PeopleSource(PEOPLE).skeleton.index("spine")
    for n in range(len(packed)):
        person = packed[n]
        pose, keypoints = person.pose.copy(), person.keypoints.copy()
        pose[spine] = keypoints[spine] = np.nan
        people.append(replace(person, pose=pose, keypoints=keypoints, group="S9"))
    folder = tmp_path / "packed"
    folder.mkdir()
    pack(people, folder / "test.pack", {"layout": "Human3.6M, raw, 2D gt", "notes": [NOTE]})
    return folder


def test_a_packed_set_is_called_what_it_was_packed_from(unihpe, recorded):
    code, text, error = unihpe("eval", "shipped", "--root", recorded, "--gallery", 3)
    assert code == 0, error
    assert "people of Human3.6M, raw, 2D gt, packed with their pictures, split test" in text
    assert "rendered" not in text and f"exclusions: {NOTE}\n" in text
    joints = next(line for line in text.splitlines() if line.startswith("joints:"))
    assert joints.startswith("joints: the 16 that set and model share: pelvis, ")
    assert "spine" not in joints and "about:" not in text


def test_rendered_people_are_called_so():
    source = PeopleSource(PEOPLE)
    assert source.layout == "rendered people" and source.notes == () and len(source.shared) == 17


def test_a_protocol_without_a_remark_prints_none():
    words = EVERY_JOINT.words(Scored(data="x", joints="all 17", skeleton="human36m17"))
    assert "about" not in words and words["joints"] == "all 17 (human36m17)"
    assert replace(EVERY_JOINT, about="whose").words(Scored())["about"] == "whose"


def test_a_folder_of_several_sets_is_not_guessed(unihpe, recorded):
    (recorded / "walk.bvh").touch()
    code, _, error = unihpe("eval", "shipped", "--root", recorded)
    assert code == 2 and "can be read as motion or people: say which with --data" in error


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_tables_keep_their_digits_on_a_narrow_terminal(columns, monkeypatch, capsys):
    narrow = Console(highlight=False, soft_wrap=True, markup=False, width=columns)
    for module in (evaluate, options):
        monkeypatch.setattr(module, "console", narrow)
    groups = [f"Action{n}" for n in range(15)]
    errors = {
        name: {group: 1234.5 + n for n, group in enumerate((*groups, "mean over groups"))}
        for name in ("MPJPE point", "PA-MPJPE mean of 20, flip test")
    }
    matched = {"matched": 0.9, "unmatched": 0.1}
    report = {"protocol": {}, "poses": 3, "errors_mm": errors, "cosine_2d_3d": matched}
    evaluate._show_report(report)
    text = capsys.readouterr().out
    assert all(f"{1234.5 + n:.1f}" in text for n in range(16)) and "…" not in text


def _titles(monkeypatch, module):
    seen = []
    monkeypatch.setattr(
        module, "sheet", lambda rows, title="": seen.append(title) or np.zeros((2, 2, 3), np.uint8)
    )
    return seen


@pytest.mark.parametrize("count", [3, 30])
def test_sheets_say_how_many_of_the_people_they_show(count, tmp_path, monkeypatch):
    titles = _titles(monkeypatch, sheets)
    keypoints = np.random.default_rng(0).uniform(100, 400, (count, 17, 2))
    results = unihpe.load(device="cpu").lift(keypoints, (640, 480))
    monkeypatch.setattr(scenes, "MOST_PICTURES", 20)
    _, page = sheets.write_pictures(tmp_path / "x", "title", results, None, None)
    assert titles == ["title" if count == 3 else "title (8 of 30 people are shown)"]
    assert ("20 of 30 people" in page.read_text()) == (count == 30)


def test_contact_sheets_say_how_many_of_the_people_they_show(motion_file, tmp_path, monkeypatch):
    titles = _titles(monkeypatch, contact_sheet)
    contact_sheet.draw_contact_sheet("motion", motion_file, tmp_path / "x.png", columns=2, rows=1)
    count = titles[0].removeprefix("motion, 2 of ").removesuffix(" people")
    assert int(count) > 100
