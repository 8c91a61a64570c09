"""What does the user see? Lines for a human, coloured on a terminal only, or one JSON object."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TextIO

_COLOURS: Final = {"good": "\x1b[32m", "bad": "\x1b[31m", "busy": "\x1b[36m"}
_PLAIN: Final = "\x1b[0m"


class Output:
    """Where a verb writes. With JSON wanted, what is for humans goes to the error stream."""

    def __init__(self, out: TextIO, err: TextIO, *, as_json: bool, env: Mapping[str, str]) -> None:
        """Write results to `out`, errors to `err`; NO_COLOR in `env` wins over a terminal."""
        self._out, self._err = out, err
        self._human = err if as_json else out
        self._as_json = as_json
        self._colours = self._human.isatty() and not env.get("NO_COLOR")

    def line(self, text: str) -> None:
        """Say one thing to a human, at once."""
        self._human.write(text + "\n")
        self._human.flush()

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show rows under a header to a human."""
        widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
        for row in (header, *rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.line("   ".join(cells).rstrip())

    def result(self, found: Mapping[str, Any] | Sequence[Any]) -> None:
        """Give a script its answer; humans have been told in lines."""
        if self._as_json:
            self._out.write(json.dumps(found, indent=2) + "\n")
            self._out.flush()

    def error(self, text: str) -> None:
        """Say why it did not work."""
        self._err.write(f"kubectl hscjit: {text}\n")
        self._err.flush()

    def painted(self, text: str, mood: str) -> str:
        """Return the text in the colour of `good`, `bad` or `busy`, on a terminal only."""
        return f"{_COLOURS[mood]}{text}{_PLAIN}" if self._colours else text
