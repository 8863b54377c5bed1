"""Progress of long work: bars on a terminal, silence elsewhere."""

from io import StringIO

import pytest
from rich.console import Console

from unihpe.cli import progress

NAME = "walk [/1] [red].mp4"  # no markup


@pytest.fixture
def screen(monkeypatch):
    """What a terminal, or a file in its place, shows."""

    def made(terminal):
        console = Console(file=StringIO(), force_terminal=terminal, width=120, markup=False)
        monkeypatch.setattr(progress, "console", console)
        return console.file

    return made


@pytest.mark.parametrize("terminal", [True, False])
def test_bytes_and_counts_are_shown_on_terminals_alone(screen, terminal):
    file = screen(terminal)
    with progress.download_report(NAME) as done:
        done(1_000_000, None)
        done(2_500_000, 5_000_000)
    with progress.counted(NAME, 10) as count:
        count(7)
    shown = file.getvalue()
    if terminal:
        assert NAME in shown and "2.5/5.0 MB" in shown and "7/10" in shown
    else:
        assert shown == ""


def test_what_is_fetched_to_be_predicted_has_a_bar(screen, unihpe, monkeypatch, tmp_path):
    """And so in the command: here the address brings no picture."""
    file = screen(True)

    def fetch(address, folder, private, report):
        with report("a.jpg") as done:
            done(3_000, 3_000)
        (folder / "a.jpg").write_bytes(b"none")
        return folder / "a.jpg"

    monkeypatch.setattr("unihpe.inputs.sources.fetch", fetch)
    code, _, error = unihpe("predict", "https://public.example/a.jpg", "-o", tmp_path / "out")
    assert code == 2 and "a.jpg" in error
    assert "a.jpg" in file.getvalue() and "3.0/3.0 kB" in file.getvalue()
