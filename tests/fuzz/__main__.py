"""python -m tests.fuzz --minutes 30: mutated files for every reader, each made from its number.

Found are tracebacks, messages of several lines, results that are not sound, files half-written,
hangs, deaths, and memory above 1.5 GB; each with the command that does it again.
"""

import argparse
import multiprocessing
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import torch

from tests.fuzz.mutate import mutated
from tests.fuzz.readers import readers, shipped
from unihpe.errors import InputError

SLOW = 20  # seconds without an answer are a hang
MEMORY = 1.5e9  # bytes
ROOM = 4 << 30  # bytes of addresses beyond those at the start: the machine is not for this alone


def _complaint(read, path, out):
    """What is wrong with a reader's answer to a file; empty if nothing is."""
    try:
        read(path, out)
    except InputError as error:
        if "\n" in str(error) or not str(error).strip() or len(str(error)) > 3000:
            return f"a message of {len(str(error))} characters: {str(error)[:200]!r}"
        return f"half-written: {half}" if (half := sorted(out.rglob("*"))) else ""
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error}".splitlines()[0][:160]
        return f"{text} (at {Path(where.filename).name}:{where.lineno})"
    return f"{left[0].name} is left" if (left := list(out.rglob("*.tmp"))) else ""


def _input(table, name, seed, number, folder):
    """A file made from its number, and what reads it."""
    rng = random.Random(f"{name}/{seed}/{number}")
    files, kind, read = table[name]
    file = rng.choice(sorted(files))
    (folder / file).write_bytes(mutated(files[file], kind, rng))
    return folder / file, read


def _one(table, name, seed, number, folder):
    """The complaint about one input."""
    (path, read), out = _input(table, name, seed, number, folder), folder / "out"
    try:
        return _complaint(read, path, out)
    finally:
        shutil.rmtree(out, ignore_errors=True)
        path.unlink()


def _work(table, tasks, answers, folder):
    """Take (name, seed, number) until there are no more; say what was found."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc").exists() else 0
    if pages:
        limit = pages * resource.getpagesize() + ROOM
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(dir=folder) as own:
        while (task := tasks.recv()) is not None:
            found = _one(table, *task, Path(own))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            if not found and peak > MEMORY:
                found = f"{peak / 1e9:.1f} GB of memory"
            answers.send((found, peak > MEMORY))


class _Worker:
    """A process that reads; another takes its place where it hangs, dies or grows."""

    def __init__(self, table, folder):
        self.given = table, folder
        self.start()

    def start(self):
        ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("fork")
        self.pipe, table, folder = ours, *self.given
        self.process = context.Process(target=_work, args=(table, theirs, theirs, folder))
        self.process.start()
        theirs.close()

    def ask(self, task):
        try:
            self.pipe.send(task)
            if not self.pipe.poll(SLOW):
                raise TimeoutError
            found, grown = self.pipe.recv()
        except (TimeoutError, EOFError, OSError) as error:
            hangs = isinstance(error, TimeoutError)
            found, grown = "hangs" if hangs else "the process died", True
        if grown:
            self.process.kill()
            self.process.join()
            self.start()
        return found

    def end(self):
        self.pipe.send(None)
        self.process.join()


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="one reader; repeatable")
    parser.add_argument("--skip", action="append", default=[], help="a reader; repeatable")
    parser.add_argument("--again", type=int, metavar="NUMBER", help="one input, with its traceback")
    how = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        table = readers(folder)
        if how.again is not None:
            path, read = _input(table, how.only[0], how.seed, how.again, Path.cwd())
            print(f"{path} is what was read")
            return read(path, folder / "out")
        shipped()  # once, before there are workers
        names = [name for name in how.only or table if name not in how.skip]
        worker, found, number = _Worker(table, folder), {}, 0
        end = time.monotonic() + 60 * how.minutes
        while time.monotonic() < end:
            for name in names:
                if complaint := worker.ask((name, how.seed, number)):
                    key = name, complaint.partition(" (at")[2] or complaint[:40]
                    found.setdefault(key, []).append((number, complaint))
                    if len(found[key]) == 1:
                        again = f'--only "{name}" --seed {how.seed} --again {number}'
                        print(f"{name}: {complaint}\n    python -m tests.fuzz {again}", flush=True)
            number += 1
        worker.end()
    print(f"{number} inputs for each of {len(names)} readers; {len(found)} kinds of findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
