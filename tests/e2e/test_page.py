"""The page, in a real browser: type, choose, ask, read an answer with its page number."""

import re
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests import browser
from tests.cluster.ports import free_ports
from tests.e2e.conftest import Support
from tests.e2e.kubectl import Kubectl


@pytest.fixture
def address(kubectl: Kubectl, support: Support) -> Iterator[str]:
    """The page's address on this machine, by port-forward."""
    (port,) = free_ports(1)
    with subprocess.Popen(
        kubectl.command("port-forward", f"service/{support.name}-api", f"{port}:80"),
        stdout=subprocess.PIPE,
        text=True,
    ) as forward:
        assert forward.stdout is not None
        assert "Forwarding" in forward.stdout.readline()
        yield f"http://127.0.0.1:{port}/"
        forward.terminate()


@pytest.fixture
def page() -> Iterator[Page]:
    with browser.tab() as opened:
        yield opened


def test_a_customer_types_chooses_asks_and_reads(page: Page, address: str) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)

    page.goto(address)
    box = page.get_by_role("combobox").first
    box.press_sequentially("rolnd td17", delay=20)
    first = page.get_by_role("option").first
    expect(first).to_contain_text("TD-17")
    first.click()

    question = page.get_by_role("textbox", name=re.compile("question", re.IGNORECASE))
    question.fill("how do I set the kick sensitivity?")
    question.press("Enter")

    log = page.get_by_role("log")
    expect(log).to_contain_text(re.compile("sensitivity", re.IGNORECASE), timeout=20_000)
    expect(log).to_contain_text(re.compile(r"p(age|\.)\s*\d", re.IGNORECASE), timeout=20_000)
    assert problems == []
