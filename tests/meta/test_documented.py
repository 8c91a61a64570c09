"""What the docs list is what the code has."""

import re
import subprocess
from pathlib import Path

from tests.meta import reference

ROOT = Path(__file__).parents[2]


def test_the_reference_is_up_to_date() -> None:
    assert reference.FILE.read_text() == reference.render(), "run python -m tests.meta.reference"


def test_the_schema_of_the_protocol_is_the_one_that_is_served() -> None:
    assert reference.SCHEMA.read_text() == reference.render_schema(), (
        "run python -m tests.meta.reference"
    )


def test_every_link_in_the_docs_leads_somewhere() -> None:
    dead = [
        f"{page.name}: {target}"
        for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert dead == []


def test_locks_name_no_address() -> None:
    locks = [ROOT / side / "requirements.txt" for side in ("operator", "app", "tests")]
    assert [lock.parent.name for lock in locks if "://" in lock.read_text()] == []


def test_every_make_target_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"`?make ([a-z-]+)", (ROOT / "README.md").read_text()))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named <= targets


def test_the_shelves_are_not_packages() -> None:
    """`operator/__init__.py` would hide the standard library's `operator`."""
    assert not (ROOT / "operator" / "__init__.py").exists()
    assert not (ROOT / "app" / "__init__.py").exists()


def test_nothing_in_the_repository_names_this_machine() -> None:
    found = subprocess.run(
        ["git", "grep", "-nE", r"(^|[^.a-zA-Z0-9_-])/(work|farm|root)/"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in found.stdout.splitlines() if "test_documented" not in line] == []
