"""What is remembered of children between passes, and that none of it is kept twice."""

from tests.unit.operator.test_drift import child

from hscjit_operator.decisions.drift import Name
from hscjit_operator.memory import Memory

NAME, OTHER = ("ConfigMap", "support-config"), ("Service", "support-api")


def another(name: Name) -> Name:
    """Return an equal name that is another object, as if read from another text."""
    kind, text = name
    return kind, "".join(list(text))


def test_names_and_digests_that_are_in_place_are_the_caches_own():
    digest = bytes(range(12))
    wanted = {another(NAME): bytes(bytearray(digest)), OTHER: b"of something else"}
    memory = Memory(wanted=wanted)
    memory.note(NAME, child(digest=digest))
    observed = {NAME: child(digest=digest), another(OTHER): child(OTHER)}
    before = (dict(memory.wanted), dict(memory.standing))

    memory.share(observed)
    assert (memory.wanted, memory.standing) == before
    for kept in (memory.wanted, memory.standing):
        assert next(iter(kept)) is NAME
        assert kept[NAME] is digest


def test_what_the_server_writes_otherwise_is_known_until_it_does_not():
    memory = Memory(wanted={NAME: b"ours"})
    memory.note(NAME, child(digest=b"theirs"))
    assert (memory.standing, memory.rewritten) == ({NAME: b"ours"}, {NAME: b"theirs"})

    memory.note(NAME, child(digest=b"ours"))
    assert (memory.standing, memory.rewritten) == ({NAME: b"ours"}, {})
