"""What other programs and files say is read as they mean it."""

import pytest
from tests.cluster import debian, images, node, pip

KUBEADM = """\
example.test/kube-apiserver:v1.37.2
example.test/coredns/coredns:v1.14.6
example.test:5000/pause:3.10.2
I1123 a line of a log
"""


def test_kubeadm_names_its_images() -> None:
    assert node.parse_images(KUBEADM) == {
        "kube-apiserver": "example.test/kube-apiserver:v1.37.2",
        "coredns": "example.test/coredns/coredns:v1.14.6",
        "pause": "example.test:5000/pause:3.10.2",
    }


def test_a_template_is_filled_everywhere() -> None:
    assert node.render("@A@ and @A@, not @C@", {"A": "one", "B": "two"}) == "one and one, not @C@"


MIRRORS = {
    "one line": ("deb http://mirror.test/debian bookworm main\n", "http://mirror.test/debian"),
    "with options": (
        "deb [arch=amd64 signed-by=/k.gpg] https://m.test/debian/ bookworm main\n",
        "https://m.test/debian",
    ),
    "deb822": ("Types: deb\nURIs: http://m.test/x/debian\n", "http://m.test/x/debian"),
    "another archive first": (
        "deb https://other.test/cloud sdk main\nURIs: http://m.test/debian\n",
        "http://m.test/debian",
    ),
    "security updates only": ("URIs: http://m.test/debian-security\n", None),
    "a comment": ("# deb http://m.test/debian bookworm main\n", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("sources", "mirror"), MIRRORS.values(), ids=MIRRORS)
def test_the_machines_own_mirror_is_found(sources: str, mirror: str | None) -> None:
    assert debian.parse_mirror(sources) == mirror


PIP = {
    "nothing set": ("", {}),
    "a file": ("global.index-url='http://i.test/simple'\n", {"index-url": "http://i.test/simple"}),
    "the environment wins, listed first": (
        ":env:.cert='/env.pem'\nglobal.cert='/file.pem'\n",
        {"cert": "/env.pem"},
    ),
    "the environment wins, listed last": (
        "global.cert='/file.pem'\n:env:.cert='/env.pem'\n",
        {"cert": "/env.pem"},
    ),
    "an empty value": ("user.trusted-host=''\n", {"trusted-host": ""}),
}


@pytest.mark.parametrize(("listing", "settings"), PIP.values(), ids=PIP)
def test_pips_settings_are_read(listing: str, settings: dict[str, str]) -> None:
    assert pip.parse_config(listing) == settings


def test_the_charts_values_name_the_published_stores() -> None:
    values = (
        "images:\n  # redis: a comment\n  redis: redis:7\n  postgres: postgres:17\n"
        "other:\n  image: none\nprometheus:\n  # prometheus.image: a comment\n  image: prom:1\n"
    )
    assert images.published_stores(values) == {
        "redis": "redis:7",
        "postgres": "postgres:17",
        "prometheus": "prom:1",
    }
