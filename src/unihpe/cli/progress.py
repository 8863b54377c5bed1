"""Progress of long work: a bar with rate and time left on a terminal, silence elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from unihpe.errors import InputError
from unihpe.training.stage import Stage

Row = dict[str, Any]


def progress(console: Console, *columns: ProgressColumn) -> Progress:
    """Bars with a description, these columns, and the time left."""
    shown = TextColumn("{task.description}"), BarColumn(), *columns, TimeRemainingColumn()
    return Progress(*shown, console=console, disable=not console.is_terminal)


@contextmanager
def training_report(
    console: Console, stages: tuple[Stage, ...], tensorboard: Path | None
) -> Iterator[Callable[[Row], None]]:
    """A function for the training loop to hand its log rows to."""
    rate = TextColumn("{task.fields[rate]}")
    with ExitStack() as stack:
        write = stack.enter_context(tensorboard_writer(tensorboard)) if tensorboard else None
        bar = stack.enter_context(
            progress(console, MofNCompleteColumn(), rate, TimeElapsedColumn())
        )
        tasks = {
            stage.name: bar.add_task(stage.name, total=stage.steps, rate="") for stage in stages
        }
        people = {stage.name: stage.step_samples for stage in stages}

        def report(row: Row) -> None:
            stage, task = row["stage"], tasks[row["stage"]]
            speed = bar.tasks[task].speed
            rate = f"{speed * people[stage]:,.0f} samples/s" if speed else ""
            score = f" · {row['validation mpjpe']:.1f} mm" if "validation mpjpe" in row else ""
            text = f"{stage} · loss {row['loss']:.3f}{score}"
            bar.update(task, completed=row["step"], rate=rate, description=text)
            if write is not None:
                write(row)

        yield report


@contextmanager
def tensorboard_writer(folder: Path) -> Iterator[Callable[[Row], None]]:
    """Log rows as TensorBoard scalars."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError("--tensorboard needs the extra: pip install 'unihpe[plots]'") from error
    writer = SummaryWriter(str(folder))

    def write(row: Row) -> None:
        for name, value in row.items():
            if isinstance(value, float):
                writer.add_scalar(f"{row['stage']}/{name}", value, row["samples"])

    try:
        yield write
    finally:
        writer.close()


@contextmanager
def download_report(console: Console, name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A function for a download to hand its byte counts to."""
    with progress(console, DownloadColumn(), TransferSpeedColumn()) as bar:
        task = bar.add_task(name, total=None)
        yield lambda have, whole: bar.update(task, completed=have, total=whole)


@contextmanager
def counted(console: Console, name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A function to say how many of `total` are done."""
    with progress(console, MofNCompleteColumn(), TimeElapsedColumn()) as bar:
        task = bar.add_task(name, total=total)
        yield lambda done: bar.update(task, completed=done)
