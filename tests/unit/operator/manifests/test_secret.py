"""The generated Secret: made of enough chance, and in every form its pods read."""

import base64
import itertools
from urllib.parse import urlsplit

import pytest
from tests.unit.operator.manifests.builders import children, hscjit

from hscjit_operator import manifests
from hscjit_operator.model import logins


def made(policy: str = "Retain") -> tuple[dict[str, str], dict[str, object]]:
    count = itertools.count()
    found = manifests.secret.generated(
        hscjit({"deletionPolicy": policy}), lambda: f"token-{next(count)}-{'x' * 20}"
    )
    data = {key: base64.b64decode(value).decode() for key, value in found["data"].items()}
    return data, found["metadata"]


def test_every_key_a_pod_mounts_is_there_and_none_is_left_over() -> None:
    mounted = {
        item["key"]
        for pod in children(stopped=True, restore="s").pods()
        for volume in pod.spec["volumes"]
        if "secret" in volume
        for item in volume["secret"]["items"]
    }

    assert mounted == set(made()[0])


def test_passwords_differ_from_one_another() -> None:
    data, _ = made()
    values = [
        data[k] for k in ("postgres-password", "redis-password", "admin-token", "session-key")
    ]

    assert len(set(values)) == 4


def test_addresses_lead_to_the_children_with_their_passwords() -> None:
    data, _ = made()
    database, cache, queue = (
        urlsplit(data[key]) for key in ("database-url", "redis-cache-url", "redis-queue-url")
    )

    assert database.scheme == "postgresql+psycopg"
    assert (database.hostname, database.port) == ("support-postgres", 5432)
    assert database.password == data["postgres-password"]
    assert (cache.hostname, queue.hostname) == ("support-redis-cache", "support-redis-queue")
    assert cache.password == queue.password == data["redis-password"]
    assert data["redis-auth.conf"] == f"requirepass {data['redis-password']}\n"
    assert f"password={data['postgres-password']}\n" in data["pg_service.conf"]
    assert data["pg_service.conf"].startswith("[hscjit]\nhost=support-postgres\n")


@pytest.mark.parametrize("token", ["short", "x" * 19, "with space" + "x" * 20, "x" * 20 + "@"])
def test_a_token_that_would_need_quoting_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="at least 20 letters"):
        manifests.secret.generated(hscjit(), lambda: token)


def test_a_token_of_20_letters_is_enough() -> None:
    assert manifests.secret.generated(hscjit(), lambda: "x" * 20)


@pytest.mark.parametrize(("policy", "owned"), [("Retain", False), ("Delete", True)])
def test_retain_keeps_the_secret_beside_its_volumes(policy: str, owned: bool) -> None:
    _, metadata = made(policy)

    assert ("ownerReferences" in metadata) is owned


def after(values: manifests.secret.Values) -> dict[str, str]:
    """Return what the Secret holds once these values were merged into it."""
    whole = {**made()[0], **values}
    return {key: value for key, value in whole.items() if value is not None}


def test_an_exchanged_password_is_in_every_form_and_the_other_login_with_it() -> None:
    before, password = made()[0], "n" * 20
    found = logins.read({logins.PASSWORD: "p"}, usable=True)

    data = after(manifests.secret.moved(hscjit(), found, password, "uid-of-the-claim"))

    url = urlsplit(data["database-url"])
    assert (url.username, url.password, url.path) == ("hscjit_b", password, "/hscjit")
    assert "dbname=hscjit\nuser=hscjit_b\n" in data["pg_service.conf"]
    assert f"password={password}\n" in data["pg_service.conf"]
    assert data["postgres-password"] == password
    assert before["postgres-password"] not in "".join(data.values())
    assert (data[logins.LOGIN], data[logins.FORMER]) == ("hscjit_b", "hscjit")
    assert data[logins.VOLUME] == "uid-of-the-claim"
    others = {"redis-password", "admin-token", "session-key", "redis-queue-url"}
    assert all(data[key] == before[key] for key in others)


def test_over_it_forgets_the_former_login_and_on_a_new_volume_both() -> None:
    assert manifests.secret.data(manifests.secret.closed()) == {logins.FORMER: None}

    before = made()[0]
    anew = after(manifests.secret.begun_anew(hscjit(), before["postgres-password"]))
    assert anew == before


def test_a_password_that_would_need_quoting_never_gets_into_an_address() -> None:
    found = logins.read({}, usable=True)
    with pytest.raises(ValueError, match="at least 20 letters"):
        manifests.secret.moved(hscjit(), found, "p@ss/word with more than twenty", "uid")
