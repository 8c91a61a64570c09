"""What may a deployment of the operator choose? The environment, read once and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class SettingsError(ValueError):
    """A variable of the environment cannot be used; the message names it and what is expected."""


@dataclass(frozen=True)
class Settings:
    """Everything that is not written in a custom resource. Durations are in seconds."""

    image_app: str
    """Image of API, worker, beat and app jobs where a resource names none (HSCJIT_IMAGE_APP)."""
    image_redis: str
    """Image of the embedded Redis (HSCJIT_IMAGE_REDIS)."""
    image_postgres: str
    """Image of the embedded Postgres (HSCJIT_IMAGE_POSTGRES)."""
    namespace: str = "default"
    """Where the operator runs; policies let it scrape from there, and its Lease is there
    (HSCJIT_OPERATOR_NAMESPACE)."""
    prometheus: bool = False
    """A Prometheus of the same release is beside the operator: every HSCJit's network policies let
    it scrape (HSCJIT_PROMETHEUS, true or false)."""
    lease_name: str = "hscjit-operator"
    """The Lease by which one of several operators acts (HSCJIT_LEASE_NAME)."""
    pod_name: str = "hscjit-operator"
    """How this process is called in the Lease, with a random ending (HOSTNAME, which is the pod's
    name in a pod)."""
    watch_namespaces: tuple[str, ...] = ()
    """Namespaces to serve, separated by commas; none means all (HSCJIT_WATCH_NAMESPACES)."""
    host: str = "0.0.0.0"  # noqa: S104  kubelet and Prometheus come from outside the pod
    """Where /healthz, /readyz and /metrics listen (HSCJIT_HOST)."""
    port: int = 8080
    """Their port (HSCJIT_PORT)."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR (HSCJIT_LOG_LEVEL)."""
    log_format: Literal["json", "console"] = "json"
    """One JSON object a line, or lines for a human (HSCJIT_LOG_FORMAT)."""
    in_cluster: bool = False
    """A pod can reach pods and Services; from a laptop the operator says it cannot. Known by
    KUBERNETES_SERVICE_HOST, which the kubelet sets."""
    passes_in_flight: int = 16
    """How many objects are reconciled at once (HSCJIT_PASSES_IN_FLIGHT)."""
    writes_in_flight: int = 16
    """How many writes to the API server are under way at once (HSCJIT_WRITES_IN_FLIGHT)."""
    request_timeout_s: float = 15.0
    """After how long one call of the API server counts as lost (HSCJIT_REQUEST_TIMEOUT_S)."""
    resync_s: float = 30.0
    """How often an idle object gets a pass, which costs no call (HSCJIT_RESYNC_S)."""
    poll_s: float = 30.0
    """How often Secrets and ConfigMaps a resource names are read (HSCJIT_POLL_S)."""
    front_door_s: float = 10.0
    """How often /ready is asked through each Service (HSCJIT_FRONT_DOOR_S)."""
    discovery_s: float = 60.0
    """How often the API server is asked which optional kinds it serves (HSCJIT_DISCOVERY_S)."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read the environment, or raise SettingsError for the first variable that is wrong."""
        namespaces = env.get("HSCJIT_WATCH_NAMESPACES", "").split(",")
        return cls(
            image_app=_required(env, "HSCJIT_IMAGE_APP"),
            image_redis=_required(env, "HSCJIT_IMAGE_REDIS"),
            image_postgres=_required(env, "HSCJIT_IMAGE_POSTGRES"),
            namespace=env.get("HSCJIT_OPERATOR_NAMESPACE", cls.namespace),
            prometheus=_flag(env, "HSCJIT_PROMETHEUS"),
            lease_name=env.get("HSCJIT_LEASE_NAME", cls.lease_name),
            pod_name=env.get("HOSTNAME") or cls.pod_name,
            watch_namespaces=tuple(name.strip() for name in namespaces if name.strip()),
            host=env.get("HSCJIT_HOST", cls.host),
            port=_port(env, "HSCJIT_PORT", cls.port),
            log_level=_log_level(env),
            log_format=_log_format(env),
            in_cluster=bool(env.get("KUBERNETES_SERVICE_HOST")),
            passes_in_flight=_count(env, "HSCJIT_PASSES_IN_FLIGHT", cls.passes_in_flight),
            writes_in_flight=_count(env, "HSCJIT_WRITES_IN_FLIGHT", cls.writes_in_flight),
            request_timeout_s=_seconds(env, "HSCJIT_REQUEST_TIMEOUT_S", cls.request_timeout_s),
            resync_s=_seconds(env, "HSCJIT_RESYNC_S", cls.resync_s),
            poll_s=_seconds(env, "HSCJIT_POLL_S", cls.poll_s),
            front_door_s=_seconds(env, "HSCJIT_FRONT_DOOR_S", cls.front_door_s),
            discovery_s=_seconds(env, "HSCJIT_DISCOVERY_S", cls.discovery_s),
        )


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise SettingsError(f"{name} is not set; expected an image reference")
    return value


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise SettingsError(f"{name} is {text!r}; expected seconds above 0, such as {default:g}")
    return value


def _count(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"{name} is {text!r}; expected a whole number above 0")
    return int(text)


def _flag(env: Mapping[str, str], name: str) -> bool:
    text = env.get(name, "false")
    if text not in ("true", "false"):
        raise SettingsError(f"{name} is {text!r}; expected true or false")
    return text == "true"


def _port(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, str(default))
    if not text.isdecimal() or not 1 <= int(text) <= 65535:  # noqa: PLR2004
        raise SettingsError(f"{name} is {text!r}; expected a port from 1 to 65535")
    return int(text)


def _log_level(env: Mapping[str, str]) -> str:
    text = env.get("HSCJIT_LOG_LEVEL", "INFO").upper()
    if text not in LOG_LEVELS:
        raise SettingsError(f"HSCJIT_LOG_LEVEL is {text!r}; expected one of {LOG_LEVELS}")
    return text


def _log_format(env: Mapping[str, str]) -> Literal["json", "console"]:
    match text := env.get("HSCJIT_LOG_FORMAT", "json"):
        case "json" | "console":
            return text
        case _:
            raise SettingsError(f"HSCJIT_LOG_FORMAT is {text!r}; expected json or console")
