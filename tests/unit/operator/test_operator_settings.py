"""What the operator reads of its environment, and what it refuses."""

from dataclasses import fields

import pytest

from hscjit_operator.settings import Settings, SettingsError

ENV = {"HSCJIT_IMAGE_APP": "a:1", "HSCJIT_IMAGE_REDIS": "r:1", "HSCJIT_IMAGE_POSTGRES": "p:1"}


def test_three_images_are_enough():
    found = Settings.from_env(ENV)
    defaults = {f.name: f.default for f in fields(Settings) if not f.name.startswith("image_")}
    assert {name: getattr(found, name) for name in defaults} == defaults


def test_everything_can_be_chosen():
    found = Settings.from_env(
        {
            **ENV,
            "HSCJIT_OPERATOR_NAMESPACE": "tools",
            "HSCJIT_WATCH_NAMESPACES": "shop, stage",
            "HSCJIT_PORT": "9000",
            "HSCJIT_LOG_LEVEL": "debug",
            "HSCJIT_LOG_FORMAT": "console",
            "HSCJIT_PROMETHEUS": "true",
            "HSCJIT_RESYNC_S": "5",
            "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        }
    )
    assert (found.namespace, found.watch_namespaces) == ("tools", ("shop", "stage"))
    assert (found.port, found.log_level, found.log_format) == (9000, "DEBUG", "console")
    assert (found.resync_s, found.in_cluster, found.prometheus) == (5.0, True, True)


BAD = {
    "no image": ({"HSCJIT_IMAGE_APP": " "}, "HSCJIT_IMAGE_APP is not set"),
    "a port that is none": ({"HSCJIT_PORT": "70000"}, "HSCJIT_PORT is '70000'"),
    "no time at all": ({"HSCJIT_RESYNC_S": "0"}, "HSCJIT_RESYNC_S is '0'"),
    "a word for a time": ({"HSCJIT_POLL_S": "soon"}, "HSCJIT_POLL_S is 'soon'"),
    "no passes": ({"HSCJIT_PASSES_IN_FLIGHT": "0"}, "HSCJIT_PASSES_IN_FLIGHT is '0'"),
    "a level that is none": ({"HSCJIT_LOG_LEVEL": "loud"}, "HSCJIT_LOG_LEVEL is 'LOUD'"),
    "neither true nor false": ({"HSCJIT_PROMETHEUS": "1"}, "HSCJIT_PROMETHEUS is '1'"),
    "a format that is none": ({"HSCJIT_LOG_FORMAT": "xml"}, "HSCJIT_LOG_FORMAT is 'xml'"),
}


@pytest.mark.parametrize(("env", "told"), BAD.values(), ids=BAD)
def test_a_bad_value_is_named(env: dict[str, str], told: str):
    with pytest.raises(SettingsError, match=told):
        Settings.from_env({**ENV, **env})
