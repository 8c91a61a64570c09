"""The environment is read once, checked, and a message names the variable that is wrong."""

import ipaddress
from pathlib import Path

import pytest

from hscjit_app.settings import AllowedHost, Settings, SettingsError


def test_an_empty_environment_is_a_complete_assistant():
    settings = Settings.from_env({})

    assert settings == Settings()
    assert settings.sqlite
    assert settings.redis_queue_url is None


def test_every_field_names_its_variable():
    """The docstring under each field is the documentation: none may be without one."""
    source = Path(Settings.from_env.__code__.co_filename).read_text(encoding="utf-8")

    undocumented = [name for name in Settings.__dataclass_fields__ if f"    {name}: " not in source]
    documented = source.count('"""HSCJIT_')

    assert undocumented == []
    assert documented == len(Settings.__dataclass_fields__)


def test_a_secret_comes_from_its_file_before_its_variable(tmp_path):
    path = tmp_path / "admin-token"
    path.write_text("from-file\n")

    settings = Settings.from_env(
        {"HSCJIT_ADMIN_TOKEN_FILE": str(path), "HSCJIT_ADMIN_TOKEN": "from-env"}
    )

    assert settings.admin_token == path.read_text().strip()
    assert "from-file" not in repr(settings)


def test_lists_are_read_from_json():
    settings = Settings.from_env(
        {
            "HSCJIT_MANUALS_ALLOWED_HOSTS": (
                '[{"host": "Docs.example:8080", "privateCIDR": "10.0.0.1/32"},'
                '{"host": "b.example"}]'
            ),
            "HSCJIT_ALLOWED_ORIGINS": '["https://Shop.example/"]',
            "HSCJIT_TRUSTED_PROXIES": '["10.1.0.0/16"]',
        }
    )

    assert settings.manuals_allowed_hosts == (
        AllowedHost("docs.example:8080", ipaddress.ip_network("10.0.0.1/32")),
        AllowedHost("b.example"),
    )
    assert settings.allowed_origins == ("https://shop.example",)
    assert settings.trusted_proxies == (ipaddress.ip_network("10.1.0.0/16"),)


BAD = {
    "port zero": ({"HSCJIT_PORT": "0"}, "HSCJIT_PORT: found '0'"),
    "port too high": ({"HSCJIT_PORT": "65536"}, "HSCJIT_PORT: found '65536'"),
    "a word for a number": ({"HSCJIT_DB_POOL_SIZE": "many"}, "HSCJIT_DB_POOL_SIZE: found 'many'"),
    "keep no backup": ({"HSCJIT_BACKUP_KEEP_LAST": "0"}, "HSCJIT_BACKUP_KEEP_LAST"),
    "unknown component": ({"HSCJIT_COMPONENT": "web"}, "expected one of api, worker, beat, job"),
    "unknown log format": ({"HSCJIT_LOG_FORMAT": "xml"}, "expected one of json, console"),
    "missing secret file": ({"HSCJIT_SESSION_KEY_FILE": "/nowhere/key"}, "HSCJIT_SESSION_KEY_FILE"),
    "not JSON": ({"HSCJIT_ALLOWED_ORIGINS": "https://a"}, "HSCJIT_ALLOWED_ORIGINS: not JSON"),
    "not a list": ({"HSCJIT_TRUSTED_PROXIES": '{"a": 1}'}, "HSCJIT_TRUSTED_PROXIES: found dict"),
    "a number as CIDR": ({"HSCJIT_TRUSTED_PROXIES": "[1]"}, "HSCJIT_TRUSTED_PROXIES[0]: found 1"),
    "a host with a path": (
        {"HSCJIT_MANUALS_ALLOWED_HOSTS": '[{"host": "a/b"}]'},
        "HSCJIT_MANUALS_ALLOWED_HOSTS[0].host: found 'a/b'",
    ),
    "an unknown key": (
        {"HSCJIT_MANUALS_ALLOWED_HOSTS": '[{"name": "a"}]'},
        "HSCJIT_MANUALS_ALLOWED_HOSTS[0]: found",
    ),
    "not an address": ({"HSCJIT_MANUALS_BASE_URL": "ftp://x"}, "HSCJIT_MANUALS_BASE_URL"),
}


@pytest.mark.parametrize(("env", "message"), BAD.values(), ids=BAD)
def test_a_wrong_value_is_refused_by_name(env, message):
    with pytest.raises(SettingsError) as refused:
        Settings.from_env(env)

    assert message in str(refused.value)


def test_an_empty_secret_file_is_refused(tmp_path):
    path = tmp_path / "empty"
    path.write_text("\n")

    with pytest.raises(SettingsError, match=r"HSCJIT_SESSION_KEY_FILE.*is empty"):
        Settings.from_env({"HSCJIT_SESSION_KEY_FILE": str(path)})


EDGES = {"lowest port": ("1", 1), "highest port": ("65535", 65535)}


@pytest.mark.parametrize(("text", "port"), EDGES.values(), ids=EDGES)
def test_the_ends_of_the_port_range_are_accepted(text, port):
    assert Settings.from_env({"HSCJIT_PORT": text}).port == port
