"""How is a program run? With its output kept, a sign of life, and an error that says enough."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

HEARTBEAT_S = 20.0
_TAIL_LINES = 15


class Unavailable(Exception):
    """Something the machine lacks; the message is one line: what it is and how to get it."""


class CommandFailed(Exception):
    """A program ended badly; the message holds its command line and the end of its output."""


def output(*command: str | Path, timeout_s: float = 60) -> str:
    """Run a short program and return what it wrote to its standard output, stripped."""
    result = _short(command, timeout_s)
    if result.returncode:
        raise CommandFailed(_message(command, result.returncode, result.stderr.decode()))
    return result.stdout.decode().strip()


def succeeds(*command: str | Path, timeout_s: float = 60) -> bool:
    """Whether a short program is there and ends well in time."""
    try:
        return _short(command, timeout_s).returncode == 0
    except (CommandFailed, OSError):
        return False


def _short(command: Sequence[str | Path], timeout_s: float) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        text = (late.stderr or b"").decode()
        raise CommandFailed(f"{_shown(command)}: no end after {timeout_s:.0f} s\n{text}") from late


def run(
    *command: str | Path,
    note: Callable[[str], None],
    doing: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: BinaryIO | None = None,
) -> None:
    """Run a long program; every 20 s `note` gets what is `doing` and its newest line of output."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            stdin=stdin or subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
        try:
            _wait(process, log, lambda line: note(f"{doing}: {line}" if line else doing))
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode:
            raise CommandFailed(_message(command, process.returncode, _written(log)))


def _wait(process: subprocess.Popen[bytes], log: BinaryIO, note: Callable[[str], None]) -> None:
    spoken = time.monotonic()
    while True:
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            if time.monotonic() - spoken >= HEARTBEAT_S:
                spoken = time.monotonic()
                note(_last_line(_written(log)))
        else:
            return


def _written(log: BinaryIO) -> str:
    """All that the program wrote so far, without moving the place where it writes."""
    size = os.fstat(log.fileno()).st_size
    start = max(0, size - 65536)
    return os.pread(log.fileno(), size - start, start).decode(errors="replace")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
    return lines[-1][:100] if lines else ""


def _message(command: Sequence[str | Path], code: int, text: str) -> str:
    tail = "\n".join(text.rstrip().splitlines()[-_TAIL_LINES:])
    return f"{_shown(command)}: exit code {code}\n{tail}"


def _shown(command: Sequence[str | Path]) -> str:
    text = " ".join(str(part) for part in command)
    return text if len(text) <= 200 else text[:200] + " …"
