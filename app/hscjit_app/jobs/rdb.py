"""What does a Redis dump say of itself? Only its beginning and its end are read.

The layout is in Redis' `rdb.h`: a magic with a version, fields of text, then per database how many
keys it holds, then the keys, and last a byte 0xFF with a checksum of 8 bytes.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

_AUX, _RESIZE, _SELECT, _FUNCTION, _END = 0xFA, 0xFB, 0xFE, 0xF5, 0xFF
_CHECKSUM = 8
_LENGTH_6, _LENGTH_14, _LENGTH_32, _LENGTH_64 = 0, 1, 0x80, 0x81
_INTEGERS = {0xC0: 1, 0xC1: 2, 0xC2: 4}
_MAX_TEXT = 1 << 20


class BadDump(Exception):
    """This is no whole Redis dump; the message says what is wrong."""


@dataclass
class RdbFacts:
    """What the dump says."""

    redis_version: str = ""
    keys: int = 0
    """In database 0, the only one in use."""
    expiring: int = 0
    """Of these, keys with a time to live: they may be gone when the dump is loaded."""
    aux: dict[str, str] = field(default_factory=dict)


def read(path: Path) -> RdbFacts:
    """Read a dump's own account; raises `BadDump`."""
    with path.open("rb") as dump:
        if dump.read(5) != b"REDIS" or not dump.read(4).isdigit():
            raise BadDump(f"{path.name} does not begin like a Redis dump")
        facts = _head(dump, path.name)
        dump.seek(0, 2)
        if dump.tell() < _CHECKSUM + 1:
            raise BadDump(f"{path.name} is too short")
        dump.seek(-(_CHECKSUM + 1), 2)
        if dump.read(1)[0] != _END:
            raise BadDump(f"{path.name} ends in the middle")
    facts.redis_version = facts.aux.get("redis-ver", "")
    return facts


def _head(dump: BinaryIO, name: str) -> RdbFacts:
    facts = RdbFacts()
    while True:
        code = _byte(dump, name)
        if code == _AUX:
            key = _text(dump, name)
            facts.aux[key] = _text(dump, name)
        elif code == _FUNCTION:
            _text(dump, name)
        elif code == _SELECT:
            _length(dump, name)
        elif code == _RESIZE:
            facts.keys, facts.expiring = _length(dump, name), _length(dump, name)
            return facts
        else:
            return facts  # 0xFF: an empty Redis writes no database at all


def _byte(dump: BinaryIO, name: str) -> int:
    return _bytes(dump, 1, name)[0]


def _bytes(dump: BinaryIO, count: int, name: str) -> bytes:
    found = dump.read(count)
    if len(found) != count:
        raise BadDump(f"{name} ends in the middle")
    return found


def _length(dump: BinaryIO, name: str) -> int:
    first = _byte(dump, name)
    kind = first >> 6
    if kind == _LENGTH_6:
        return first & 0x3F
    if kind == _LENGTH_14:
        return (first & 0x3F) << 8 | _byte(dump, name)
    if first == _LENGTH_32:
        return int.from_bytes(_bytes(dump, 4, name), "big")
    if first == _LENGTH_64:
        return int.from_bytes(_bytes(dump, 8, name), "big")
    raise BadDump(f"{name} holds a length that is none (0x{first:02x})")


def _text(dump: BinaryIO, name: str) -> str:
    """Read text, or an integer that Redis wrote shorter than its digits."""
    first = _byte(dump, name)
    if first in _INTEGERS:
        return str(int.from_bytes(_bytes(dump, _INTEGERS[first], name), "little", signed=True))
    dump.seek(-1, 1)
    length = _length(dump, name)
    if length > _MAX_TEXT:
        raise BadDump(f"{name} holds a text of {length} bytes where a short one belongs")
    return _bytes(dump, length, name).decode("utf-8", "replace")
