"""Progress of long work: a bar with rate and time left on a terminal, silence elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich import progress as columns
from rich.progress import Progress, ProgressColumn, Task
from rich.text import Text

from unihpe.cli.options import console
from unihpe.io.extra import extra
from unihpe.io.log import Row

if TYPE_CHECKING:
    from unihpe.training.stage import Stage


def _progress(*more: ProgressColumn) -> Progress:
    # names of files may hold brackets, which are no markup
    first = columns.TextColumn("{task.description}", markup=False), columns.BarColumn()
    left = columns.TimeRemainingColumn()
    return Progress(*first, *more, left, console=console, disable=not console.is_terminal)


@contextmanager
def training_report(
    stages: tuple["Stage", ...], tensorboard: Path | None
) -> Iterator[Callable[[Row], None]]:
    """A function for the training loop to hand its log rows to."""
    count, time = columns.MofNCompleteColumn(), columns.TimeElapsedColumn()
    rate = columns.TextColumn("{task.fields[rate]}")
    with _tensorboard_writer(tensorboard) as write, _progress(count, rate, time) as bar:
        tasks = {s.name: bar.add_task(s.name, total=s.steps, rate="") for s in stages}
        people = {s.name: s.step_samples for s in stages}

        def report(row: Row) -> None:
            stage, task = row["stage"], tasks[row["stage"]]
            speed = bar.tasks[task].speed
            rate = f"{speed * people[stage]:,.0f} samples/s" if speed else ""
            score = f" · {row['validation mpjpe']:.1f} mm" if "validation mpjpe" in row else ""
            text = f"{stage} · loss {row['loss']:.3f}{score}"
            bar.update(task, completed=row["step"], rate=rate, description=text)
            write(row)

        yield report


@contextmanager
def _tensorboard_writer(folder: Path | None) -> Iterator[Callable[[Row], None]]:
    """Log rows as TensorBoard scalars; without a folder, nowhere."""
    if folder is None:
        yield lambda row: None
        return
    board = extra("torch.utils.tensorboard", "plots", "--tensorboard needs the extra")
    with board.SummaryWriter(str(folder)) as writer:

        def write(row: Row) -> None:
            for name, value in row.items():
                if isinstance(value, float):
                    writer.add_scalar(f"{row['stage']}/{name}", value, row["samples"])

        yield write


@contextmanager
def download_report(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A function for a download to hand its byte counts to."""
    with _progress(columns.DownloadColumn(), columns.TransferSpeedColumn()) as bar:
        task = bar.add_task(name, total=None)
        yield lambda have, whole: bar.update(task, completed=have, total=whole)


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="progress.data.speed")


@contextmanager
def counted(name: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A function to say how many of `total`, if that is known, are done."""
    with _progress(columns.MofNCompleteColumn(), _Rate(), columns.TimeElapsedColumn()) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done: bar.update(task, completed=done)
