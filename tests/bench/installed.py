"""A Python that finds what the app's image installs, and nothing a developer has besides.

Libraries look for others and load what they find: beside `make venv` a start would be slower, or
quicker, than it is in a pod.
"""

import re
import venv
from importlib.metadata import distribution
from pathlib import Path

LOCK = Path(__file__).parents[2] / "app" / "requirements.txt"


def as_in_the_image(folder: Path) -> Path:
    """Return the interpreter of a new venv in `folder`, its packages linked from where ours are."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    for name in re.findall(r"^([\w.-]+)(?:\[.*?\])?==", LOCK.read_text(), re.MULTILINE):
        installed = distribution(name)
        for top in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():  # two may share a folder, as opentelemetry's do
                (site / top).symlink_to(str(installed.locate_file(top)))
    return folder / "bin" / "python"
