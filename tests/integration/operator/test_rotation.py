"""The database's password is exchanged: step by step, killed at every write, refused, undone."""

import asyncio
import base64
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.integration.operator.controllers import Controllers, controllers
from tests.integration.operator.test_kept import claim
from tests.integration.operator.world import Body, World, operator

from hscjit_operator import names
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.client import Api
from hscjit_operator.decisions import drift
from hscjit_operator.model import logins

NEXT = "the-next-one-of-a-user"
SECRET = "support-secret"  # noqa: S105
ROLLED = {"support-api", "support-worker"}
"""Who reads the database's password."""


async def held(world: World) -> dict[str, str]:
    """Return the values of the generated Secret."""
    body = await world.get("Secret", "secret") or {"data": {}}
    return {key: base64.b64decode(value).decode() for key, value in body["data"].items()}


async def wish(world: World, password: str) -> None:
    """Ask for another password, as `kubectl patch` does."""
    await world.patch("Secret", SECRET, {"stringData": {logins.NEXT: password}})


async def generations(world: World) -> dict[str, int]:
    found = await world.children()
    return {n: b["metadata"]["generation"] for (k, n), b in found.items() if k == "Deployment"}


async def until_progressing(world: World, words: str) -> None:
    async def told() -> bool:
        found = await world.condition("Progressing")
        return found["reason"] == "RotatingPassword" and words in found["message"]

    await world.until(told)


def task(job: Body) -> list[str]:
    """Return what a rotation's Job is told."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return list(container["command"][3:])


async def until_over(world: World, password: str) -> dict[str, str]:
    """Wait until the Secret says that `password` is the only one; return its values."""

    async def over() -> dict[str, str]:
        found = await held(world)
        return found if found[logins.PASSWORD] == password and logins.FORMER not in found else {}

    return dict(await world.until(over))


async def lose_secret_and_put_it_back(world: World) -> None:
    """Vanished in between it is missed, not made anew; from the user's copy it goes on."""
    body = await world.get("Secret", "secret")
    assert body is not None
    await world.delete("Secret", SECRET)
    await world.until_condition("Degraded", "SecretLost", "True")
    assert await world.get("Secret", "secret") is None
    kept = {key: body["metadata"][key] for key in ("name", "labels")}
    copy = {"metadata": kept, "data": body["data"], "type": body["type"]}
    await world.call("POST", kinds.SECRET.path(world.namespace), copy)


async def until_closing(world: World, before: str) -> str:
    """Report all pods as rolled; return the name of the Job that follows on the one `before`."""

    async def closing() -> str:
        await world.run_pods()
        jobs = [n for k, n in await world.children() if k == "Job" and "-rot-" in n]
        return next((job for job in jobs if job != before), "")

    return str(await world.until(closing))


async def test_step_by_step_and_nobody_is_locked_out(
    world: World, capsys: pytest.CaptureFixture[str]
):
    async with operator(world) as calls:
        await world.settle()
        await claim(world, names.POSTGRES, (await world.app())["metadata"]["uid"])
        before, first = await generations(world), await held(world)

        # 1: The login that nobody uses gets the next password; the Secret leads to the present one.
        await wish(world, NEXT)
        name = await world.job("rot")
        opening = await world.call("GET", kinds.JOB.path(world.namespace, name))
        login, file, mark = task(opening)
        assert (login, file) == (logins.SECOND, f"/run/secrets/hscjit/{logins.NEXT}")
        assert mark == logins.digest_of(NEXT)[:7]
        await until_progressing(world, "makes the next password good")
        assert (await world.condition("Ready"))["reason"] == "Answering"
        assert await held(world) == first | {logins.NEXT: NEXT}
        assert await generations(world) == before

        # 2: The pods learn of it, and roll.
        await world.end_job(name)
        await until_progressing(world, "")
        await world.until_condition("Ready", "Progressing", "False")
        moved = await held(world)
        url = urlsplit(moved["database-url"])
        assert (url.username, url.password) == (logins.SECOND, NEXT)
        assert first[logins.PASSWORD] not in "".join(moved.values())
        assert not [n for k, n in await world.children() if k == "Job"], "old pods still roll"

        await lose_secret_and_put_it_back(world)

        # 3: No pod of before is left; the former password is made good for nothing.
        last = await until_closing(world, name)
        job = await world.call("GET", kinds.JOB.path(world.namespace, last))
        assert task(job) == [logins.OWNER, f"/run/secrets/hscjit/{logins.PASSWORD}", mark]
        await until_progressing(world, "good for nothing")
        await world.end_job(last)

        # 4: It is over, and settled.
        rotated = await until_over(world, NEXT)
        await world.start()
        after = await generations(world)
        assert {n for n in after if after[n] != before[n]} == ROLLED
        assert {after[n] - before[n] for n in ROLLED} == {1}
        assert not [n for k, n in await world.children() if k == "Job"]
        events = await world.call("GET", kinds.EVENT.path(world.namespace))
        assert "PasswordRotated" in {event["reason"] for event in events["items"]}
        await world.calm()
        calls.restart()
        await world.calm()
        assert not calls.writes
        assert not calls.reads
        assert await held(world) == rotated
        everything = str([*(await world.children()).values(), await world.app(), events])
        out = capsys.readouterr()
        assert NEXT not in everything + out.out + out.err


async def test_killed_after_every_write_it_ends_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    async with controllers(world) as running:
        async with operator(world):
            await world.create()
            await world.until_settled()
        first, uid = await held(world), (await world.app())["metadata"]["uid"]
        await wish(world, "")
        lives = 0

        def settled() -> bool:
            found = running.there["Secret", SECRET]["data"]
            return logins.LOGIN in found and logins.FORMER not in found

        while not settled() or lives == 0:
            lives += 1
            await _live_for_one_write(world, monkeypatch)
        async with operator(world):
            await world.until_settled()

        rotated = await held(world)
        assert (await world.app())["metadata"]["uid"] == uid
        password = rotated[logins.PASSWORD]
        assert password not in ("", first[logins.PASSWORD])
        assert rotated[logins.NEXT] == password
        assert rotated[logins.LOGIN] == logins.SECOND
        assert logins.FORMER not in rotated
        assert rotated["database-url"].count(password) == 1
        rollouts = running.rollouts(world.name)
        assert {n for (_, n), times in rollouts.items() if times} == ROLLED
        assert {rollouts["Deployment", n] for n in ROLLED} == {1}
        made = [b["metadata"]["name"] for event, b in running.history if event == "ADDED"]
        jobs = [name for name in made if "-rot-" in name]
        assert len(jobs) == len(set(jobs)) == 2
        assert lives > 6


async def _live_for_one_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an operator change one thing; what it would do next never arrives, whatever it is.

    From there on nobody can tell it from one that was killed.
    """
    written = 0
    over = asyncio.Event()
    write = Api._write

    async def guarded(api: Api, request: Any, *args: Any, **kwargs: Any) -> Body:
        nonlocal written
        if request.kind in (kinds.LEASE, kinds.EVENT):
            return await write(api, request, *args, **kwargs)
        written += 1
        if written > 1:
            over.set()
            await asyncio.Event().wait()
        return await write(api, request, *args, **kwargs)

    async def done() -> bool:
        return over.is_set() or await _at_rest(world)

    with monkeypatch.context() as patched:
        patched.setattr(Api, "_write", guarded)
        async with operator(world):
            await world.until(done)


async def _at_rest(world: World) -> bool:
    secret = await held(world)
    return logins.LOGIN in secret and logins.FORMER not in secret


async def test_what_stands_in_the_way_is_said_and_the_present_password_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(drift, "RETRY_JOB_S", 1.0)
    async with operator(world):
        await world.settle()
        await claim(world, names.POSTGRES, (await world.app())["metadata"]["uid"])
        first, before = await held(world), await generations(world)

        await wish(world, "too short")
        told = await world.until_condition("Degraded", "PasswordNotRotated", "True")
        assert f"Secret {SECRET}, key {logins.NEXT}" in told["message"]
        assert "too short" not in told["message"]

        await world.annotate({names.ANNOTATION_PAUSED: "rollout"})
        await wish(world, NEXT)
        await until_progressing(world, "waiting: rollouts are paused")
        await world.annotate({names.ANNOTATION_PAUSED: None})

        said = '{"ok": false, "reason": "RotationFailed", "message": "no room for a connection"}'
        name = await world.job("rot")
        await world.end_job(name, ok=False, said=said)
        told = await world.until_condition("Degraded", "PasswordNotRotated", "True")
        assert "no room for a connection; it is tried again" in told["message"]
        assert (await world.condition("Ready"))["status"] == "True"
        assert await held(world) == first | {logins.NEXT: NEXT}

        async def another_try() -> bool:
            job = await world.get("Job", name.removeprefix("support-"))
            return job is not None and not (job.get("status") or {}).get("conditions")

        await world.until(another_try)
        await wish(world, first[logins.PASSWORD])  # called off
        await world.until_condition("Degraded", "AllReady", "False")
        await world.until_condition("Progressing", "Settled", "False")
        assert await generations(world) == before


async def test_a_database_on_a_new_volume_is_reached_by_its_owner(world: World):
    async with controllers(world) as running, operator(world):
        await world.create()
        await world.until_settled()
        await wish(world, NEXT)
        await until_over(world, NEXT)
        await world.until_settled()

        await _lose_volume(world, running)

        async def led_to_owner() -> bool:
            return urlsplit((await held(world))["database-url"]).username == logins.OWNER

        await world.until(led_to_owner)
        await world.until_settled()
        found = await held(world)
        assert urlsplit(found["database-url"]).password == NEXT == found[logins.PASSWORD]
        assert not {logins.LOGIN, logins.FORMER, logins.VOLUME} & found.keys()


async def _lose_volume(world: World, running: Controllers) -> None:
    """Delete the database's claim; the StatefulSet's controller makes another."""
    name = "data-support-postgres-0"
    await world.delete("PersistentVolumeClaim", name)

    async def gone() -> bool:
        return ("PersistentVolumeClaim", name) not in running.there

    await world.until(gone)
    await running._make_claims(running.there["StatefulSet", "support-postgres"])


async def test_an_external_databases_password_is_not_ours(world: World):
    address = base64.b64encode(b"postgresql://app:hunter2@db.example.com/support").decode()
    await world.call(
        "POST",
        kinds.SECRET.path(world.namespace),
        {"metadata": {"name": "database"}, "data": {"dsn": address}},
    )
    async with operator(world):
        await world.settle(
            postgres={"external": {"dsnSecretRef": {"name": "database", "key": "dsn"}}}
        )
        await wish(world, NEXT)
        told = await world.until_condition("Degraded", "PasswordNotRotated", "True")
        assert "the database is external" in told["message"]
