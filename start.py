"""Set up and run, with nothing but Python 3.11 or newer.

    python3 start.py demo [ARGUMENTS]    # 3D poses of people, with pictures and a measured error
    python3 start.py test [ARGUMENTS]    # the tests

The first call makes a virtual environment in .venv and installs the package into it; later calls
reuse it. Arguments go to `unihpe demo` or pytest.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
FOLDER = ROOT / ".venv"
PYTHON = FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
COMMANDS = {"demo": ["-m", "unihpe", "demo"], "test": ["-m", "pytest"]}
EXTRAS = {"demo": "", "test": "[dev,data,export,heic,plots,synthetic]"}
OLDEST = (3, 11)


def installed(command: str) -> Path:
    """The environment's interpreter, with what the command needs installed."""
    done = FOLDER / f"installed-for-{command}"
    recipe = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    if not (done.is_file() and done.read_text(encoding="utf-8") == recipe):
        print(f"Setting up {FOLDER} (once; torch is a large download)", flush=True)
        venv.create(FOLDER, with_pip=True)
        pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-e", f"{ROOT}{EXTRAS[command]}"], check=True)
        done.write_text(recipe, encoding="utf-8")
    return PYTHON


def main() -> int:
    if sys.version_info < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        here = sys.version.split()[0]
        print(f"unihpe needs Python {oldest} or newer; this is {here}", file=sys.stderr)
        return 2
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        python = installed(sys.argv[1])
    except subprocess.CalledProcessError as error:
        print(f"setting up failed: {error.cmd[-1]}", file=sys.stderr)
        print("is python3-venv installed, and is PyPI within reach?", file=sys.stderr)
        return 1
    place = ROOT if sys.argv[1] == "test" else None
    command = [python, *COMMANDS[sys.argv[1]], *sys.argv[2:]]
    return subprocess.run(command, cwd=place, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
