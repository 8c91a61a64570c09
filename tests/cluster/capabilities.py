"""May a container here have every capability? Some hosts keep CAP_SYS_RESOURCE for themselves.

There `docker run --privileged` fails, because Docker asks for more than it has. A small program
between Docker and runc takes that one capability out of what is asked for.
"""

import sys
from pathlib import Path

CAP_SYS_RESOURCE = 24
_NAME = "CAP_SYS_RESOURCE"

_WRAPPER = """\
#!{python} -IS
import json, os, sys

def without(path, *keys):
    with open(path) as file:
        whole = json.load(file)
    part = whole
    for key in keys:
        part = part[key]
    for names in (part.get("capabilities") or {{}}).values():
        if names and {name!r} in names:
            names.remove({name!r})
    with open(path, "w") as file:
        json.dump(whole, file)

for option, value in zip(sys.argv, sys.argv[1:]):
    if option in ("--bundle", "-b"):
        without(os.path.join(value, "config.json"), "process")
    elif option in ("--process", "-p"):
        without(value)
os.execv({runc!r}, [{runc!r}, *sys.argv[1:]])
"""


def lacks(status: str, capability: int) -> bool:
    """Whether the bounding set in the text of /proc/<pid>/status is without this capability."""
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "CapBnd":
            return not int(value.strip(), 16) >> capability & 1
    return False


def host_is_bounded() -> bool:
    """Whether containers on this machine have to do without CAP_SYS_RESOURCE."""
    status = Path("/proc/self/status")
    return status.exists() and lacks(status.read_text(), CAP_SYS_RESOURCE)


def wrapper(runc: str) -> str:
    """The text of a program that stands in for this runc and asks for what can be had."""
    python = str(Path(sys.executable).resolve())
    return _WRAPPER.format(python=python, name=_NAME, runc=runc)
