"""The command starts without what takes long to import."""

import subprocess
import sys
from typing import get_args

from unihpe.cli.predict import UNITS, UNSURE
from unihpe.inputs.detections import MIN_CONFIDENCE, Units


def test_the_command_line_starts_without_torch():
    slow = "torch", "cv2", "scipy"
    asks = f"import sys, unihpe.cli; print([m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_names_what_the_readers_know():
    assert UNITS.replace(" or ", ", ").split(", ") == list(get_args(Units))
    assert str(MIN_CONFIDENCE) in UNSURE
