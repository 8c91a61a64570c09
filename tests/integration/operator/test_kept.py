"""What outlives an HSCJit: found, refused, adopted, and never silently made anew."""

import base64

from tests.integration.operator.world import Body, World, operator

from hscjit_operator import names
from hscjit_operator.cluster import kinds


async def claim(world: World, suffix: str, uid: str) -> None:
    """Make the claim that a StatefulSet's controller makes out of its template."""
    labels = names.labels(world.name, suffix, uid)
    body = {
        "metadata": {"name": f"data-{world.name}-{suffix}-0", "labels": labels},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    await world.call("POST", kinds.CLAIM.path(world.namespace), body)


async def leave(world: World) -> Body:
    """Play an HSCJit of that name that was deleted under Retain; return its Secret."""
    async with operator(world):
        await world.settle()
        secret = await world.get("Secret", "secret")
        uid = (await world.app())["metadata"]["uid"]
        for component in (names.POSTGRES, names.REDIS_QUEUE):
            await claim(world, component, uid)
        await world.delete("HSCJit", world.name)
        for kind, name in await world.children():
            if kind != "PersistentVolumeClaim":
                await world.delete(kind, name)
    assert secret is not None
    return secret


async def test_volumes_left_behind_are_refused_until_adopted(world: World):
    before = await leave(world)

    async with operator(world):
        await world.create()
        told = await world.until_condition("Stalled", "VolumesLeftBehind", "True")
        assert "spec.bootstrap.adoptVolumes" in told["message"]
        assert (await world.condition("Ready"))["reason"] == "VolumesLeftBehind"
        assert not [kind for kind, _ in await world.children() if kind == "StatefulSet"]

        await world.delete("HSCJit", world.name)
        await world.create({"bootstrap": {"adoptVolumes": True}})
        await world.end_job(await world.job("mig"))
        await world.start()

        uid = (await world.app())["metadata"]["uid"]
        secret = await world.get("Secret", "secret")
        assert secret is not None
        assert secret["data"] == before["data"]
        assert secret["metadata"]["labels"][names.LABEL_OWNER_UID] == uid
        claims = [b for (kind, _), b in (await world.children()).items() if "Claim" in kind]
        assert len(claims) == 3
        assert {c["metadata"]["labels"][names.LABEL_OWNER_UID] for c in claims} == {uid}


async def test_a_volume_for_backups_left_behind_is_refused_when_backups_begin(world: World):
    async with operator(world):
        await world.settle(backup={"enabled": False})
        path = kinds.CLAIM.path(world.namespace)
        labels = names.labels(world.name, names.BACKUP, "uid-of-a-former-one")
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "2Gi"}},
        }
        left = {"metadata": {"name": "support-backup", "labels": labels}, "spec": spec}
        await world.call("POST", path, left)
        await world.change({"backup": {"enabled": True}})

        told = await world.until_condition("Stalled", "VolumesLeftBehind", "True")
        assert "PersistentVolumeClaim support-backup" in told["message"]
        await world.delete("PersistentVolumeClaim", "support-backup")
        await world.start()


async def test_a_lost_secret_is_not_made_anew_under_a_database_that_knows_the_old(world: World):
    async with operator(world) as calls:
        await world.settle()
        uid = (await world.app())["metadata"]["uid"]
        await claim(world, names.POSTGRES, uid)
        before = await world.get("Secret", "secret")
        assert before is not None
        templates = await _templates(world)

        await world.delete("Secret", "support-secret")
        told = await world.until_condition("Degraded", "SecretLost", "True")
        assert "data-support-postgres-0" in told["message"]
        assert (await world.condition("Ready"))["status"] == "True"
        assert await world.get("Secret", "secret") is None

        body = {k: before[k] for k in ("data", "type")}
        metadata = {k: before["metadata"][k] for k in ("name", "labels")}
        await world.call("POST", kinds.SECRET.path(world.namespace), {**body, "metadata": metadata})
        await world.until_condition("Ready", "Answering", "True")
        assert await _templates(world) == templates
        assert calls.writes[("PATCH", "Secret")] == 1


async def test_a_changed_secret_rolls_its_users_once(world: World):
    async with operator(world):
        await world.settle()
        before = await _templates(world)
        token = base64.b64encode(b"another-token-of-an-admin").decode()
        await world.patch("Secret", "support-secret", {"data": {"admin-token": token}})

        await world.until_condition("Ready", "Progressing", "False")
        await world.start()

        after = await _templates(world)
        rolled = {name for name in after if after[name] != before[name]}
        assert rolled == {"support-api"}  # nobody else reads it
        generations = await _generations(world)
        await world.patch("Secret", "support-secret", {"metadata": {"labels": {"team": "x"}}})
        await world.start()
        assert await _generations(world) == generations


async def test_without_a_database_a_lost_secret_is_made_anew(world: World):
    async with operator(world):
        await world.settle()
        before = await world.get("Secret", "secret")
        await world.delete("Secret", "support-secret")

        async def back() -> bool:
            return await world.get("Secret", "secret") not in (None, before)

        await world.until(back)
        await world.start()


async def test_under_delete_the_secret_and_the_backups_go_with_their_owner(world: World):
    async with operator(world):
        await world.settle()
        secret = await world.get("Secret", "secret") or {}
        assert "ownerReferences" not in secret["metadata"]

        await world.change({"deletionPolicy": "Delete"})
        await world.start()

        async def owned(yes: bool = True) -> bool:
            kept = [
                await world.get("Secret", "secret"),
                await world.get("PersistentVolumeClaim", "backup"),
            ]
            return all(bool((b or {})["metadata"].get("ownerReferences")) is yes for b in kept)

        await world.until(owned)
        await world.change({"deletionPolicy": "Retain"})
        await world.start()
        await world.until(lambda: owned(yes=False))

        # Backups that were made go or stay with it, too, when no more are made.
        await world.change({"deletionPolicy": "Delete", "backup": {"enabled": False}})
        await world.start()
        await world.until(owned)
        await world.change({"deletionPolicy": "Retain"})
        await world.start()
        await world.until(lambda: owned(yes=False))

    # Whoever does not want them deletes the claim, and it stays away.
    async with operator(world) as calls:
        await world.start()
        await world.delete("PersistentVolumeClaim", f"{world.name}-backup")
        await world.calm()
        assert await world.get("PersistentVolumeClaim", "backup") is None
        assert ("PATCH", "PersistentVolumeClaim") not in calls.writes


async def test_a_strangers_secret_is_left_alone(world: World):
    stranger = {"metadata": {"name": "support-secret"}, "data": {"theirs": "eWVz"}}
    await world.call("POST", kinds.SECRET.path(world.namespace), stranger)

    async with operator(world):
        await world.create()
        told = await world.until_condition("Stalled", "NameConflict", "True")
        assert "Secret support-secret" in told["message"]
        kept = await world.get("Secret", "secret") or {}
        assert kept["data"] == {"theirs": "eWVz"}


async def _templates(world: World) -> dict[str, Body]:
    found = await world.children()
    return {n: b["spec"]["template"] for (k, n), b in found.items() if k == "Deployment"}


async def _generations(world: World) -> dict[str, int]:
    found = await world.children()
    return {n: b["metadata"]["generation"] for (k, n), b in found.items() if k == "Deployment"}
