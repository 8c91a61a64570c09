"""How does a test run a server of its own? One process, output in a file, ended by its id."""

import os
import pwd
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_STOP_TIMEOUT_S = 10
_TAIL_LINES = 15


class Failed(Exception):
    """A server did not come up; the message holds the end of its output."""

    def __init__(self, name: str, folder: Path) -> None:
        text = (folder / f"{name}.log").read_text(errors="replace")
        tail = "\n".join(text.splitlines()[-_TAIL_LINES:])
        super().__init__(f"{name} does not come up:\n{tail}")


@contextmanager
def process(
    name: str,
    command: Sequence[str],
    folder: Path,
    *,
    user: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command until the block ends; its output goes to `<name>.log` in the folder.

    `env` is its whole environment, ours if not given.
    """
    with (folder / f"{name}.log").open("wb") as log:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=env,
            user=user,
            group=group_of(user),
            extra_groups=[] if user else None,
            start_new_session=True,  # Ctrl-C is ours to pass on, in order
        )
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(timeout=_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def humble_user() -> str | None:
    """Whom to run servers as that refuse root; None = as we are."""
    return "nobody" if os.geteuid() == 0 else None


def group_of(user: str | None) -> int | None:
    """The first group of this user; None stays None."""
    return pwd.getpwnam(user).pw_gid if user else None
