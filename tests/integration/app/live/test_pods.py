"""Real pods: an answer from a worker's manual, resumed elsewhere, drained, and without Redis."""

import asyncio
import contextlib
import json
import time

import pytest
from tests.integration.app.live.pods import Pod
from tests.integration.app.servers import eventually
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from hscjit_app.client import Client, Refused

QUESTION = "how do I set the kick sensitivity?"
PRODUCT = "roland-td17kv"


async def rest_of(socket):
    """Return every frame up to the close."""
    frames = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            frames.append(json.loads(await socket.recv()))
    return frames


async def test_a_question_is_answered_with_a_manual_fetched_by_a_worker(pod, worker):
    first = pod("pod-1")
    worker()
    async with await Client.connect(first.url) as client:
        found = await client.predict("rolnd td17")
        text, sources = await client.answer(QUESTION, found[0]["product"]["id"])

    numbers = first.get("/metrics")[1].decode()
    for series in ('task_queue_depth{queue="celery"} 0.0', "inflight_requests 0.0"):
        assert series in numbers
    for name in ("database", "redis_cache", "redis_queue"):
        assert f'dependency_up{{dependency="{name}"}} 1.0' in numbers
    assert found[0]["product"]["id"] == PRODUCT
    assert "kick" in text.lower()
    assert f"p. {sources[0]['page']}]" in text


async def test_a_customer_goes_on_on_another_pod_and_gets_each_frame_once(pod, worker):
    first, second = pod("pod-1"), pod("pod-2")
    worker()
    here = await Client.connect(first.url)
    seen = []
    async for frame in here.ask(QUESTION, PRODUCT):
        seen.append((frame["id"], frame["seq"], frame["type"]))
        if len(seen) == 2:  # the manual is still being fetched: the answer is under way
            break
    await here.close()

    there = await Client.connect(second.url, session=here.session, last_id=here.last_id)
    async for frame in there.follow():
        seen.append((frame["id"], frame["seq"], frame["type"]))
    await there.close()

    assert len({answer for answer, _, _ in seen}) == 1
    assert [seq for _, seq, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[-1][2] == "answer_done"


async def test_a_pod_told_to_stop_finishes_answers_moves_sockets_and_exits(pod, worker):
    first, second = pod("pod-1"), pod("pod-2")
    worker()
    idle = await connect(f"ws://127.0.0.1:{second.port}/ws", compression=None)
    asking = await Client.connect([second.url, first.url])
    frames = asking.ask(QUESTION, PRODUCT)
    seen = [await anext(frames)]
    begun = time.monotonic()
    second.terminate()
    eventually(lambda: second.get("/ready")[0] != 200, within_s=1)
    states = set()
    while second.process.poll() is None and time.monotonic() - begun < 6:
        states.add((await asyncio.to_thread(second.get, "/ready"))[0])
        await asyncio.sleep(0.02)
    took = time.monotonic() - begun
    told = await rest_of(idle)
    async for frame in frames:
        seen.append(frame)
    await asking.close()

    assert second.process.returncode == 0
    assert took < 5
    assert 200 not in states
    assert [(f["type"], f["state"]) for f in told] == [("status", "moving")]
    assert idle.close_code == 1012
    assert [f["seq"] for f in seen] == list(range(1, len(seen) + 1))
    assert seen[-1]["type"] == "answer_done"
    assert "Drained incompletely" not in second.log
    assert "Traceback" not in second.log


async def test_without_redis_predictions_go_on_and_it_is_found_again(pod, worker, queue):
    first = pod("pod-1")
    worker()
    async with await Client.connect(first.url) as client:
        await client.answer(QUESTION, PRODUCT)  # its manual is known from here on
        queue.kill()
        eventually(lambda: "redis_queue" in first.ready().get("degraded", []), within_s=6)
        ready = first.ready()
        assert (first.get("/ready")[0], ready["ready"]) == (200, True)
        assert ready["degraded"] == ["redis_cache", "redis_queue"]
        assert b'dependency_up{dependency="redis_queue"} 0.0' in first.get("/metrics")[1]

        took = []
        for typed in ("m", "mo", "moog"):
            begun = time.monotonic()
            found = await client.predict(typed)
            took.append(time.monotonic() - begun)
        assert found[0]["brand"]["id"] == "moog"
        assert min(took) < 0.5  # the quickest, as the machine may be busy
        text, sources = await client.answer("how do I do a factory reset?", PRODUCT)
        assert sources
        assert text
        with pytest.raises(Refused) as refused:
            await client.answer(QUESTION, "moog-matriarch")  # nobody can fetch this one now
        assert refused.value.code == "manual_unavailable"
        assert refused.value.retry_after

        queue.start()
        eventually(lambda: first.ready()["degraded"] == [], within_s=6)
        text, sources = await client.answer(QUESTION, PRODUCT)
        assert sources
    assert first.process.poll() is None


async def test_a_frame_beyond_any_measure_ends_the_socket(pod):
    first = pod("pod-1")
    async with connect(f"ws://127.0.0.1:{first.port}/ws", compression=None) as socket:
        await socket.send("x" * (32 * 1024))
        assert json.loads(await socket.recv())["code"] == "too_large"
        await socket.send("x" * (64 * 1024 + 1))
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    assert socket.close_code == 1009


async def test_the_handshake_tells_nothing_and_compresses_nothing(pod):
    first = pod("pod-1")
    async with connect(f"ws://127.0.0.1:{first.port}/ws") as socket:
        headers = socket.response.headers

    assert "server" not in headers
    assert "sec-websocket-extensions" not in headers


def test_a_bad_environment_is_one_line_and_exit_2(tmp_path, env):
    broken = Pod(tmp_path, "broken", {**env, "HSCJIT_DB_POOL_SIZE": "many"})
    assert broken.process.wait(timeout=20) == 2
    assert broken.log.strip() == (
        "HSCJIT_DB_POOL_SIZE: found 'many', expected a whole number, at least 1"
    )


async def test_the_answer_of_a_pod_that_was_killed_is_finished_by_another(pod):
    """No worker runs, so the answer waits for its manual when its pod dies."""
    first, second = pod("pod-1"), pod("pod-2")
    eventually(lambda: b"peer_pods 1.0" in first.get("/metrics")[1], within_s=10)
    client = await Client.connect([second.url, first.url])
    frames = client.ask(QUESTION, PRODUCT)
    seen = [await anext(frames), await anext(frames)]
    second.kill()
    begun = time.monotonic()
    taken = 'answers_taken_over_total{why="died"} 1.0'
    await asyncio.to_thread(
        eventually, lambda: taken in first.get("/metrics")[1].decode(), within_s=15
    )
    took = time.monotonic() - begun
    assert [f.get("state") for f in seen] == ["accepted", "fetching"]
    assert took < 10

    second = None
    first.terminate()  # nobody is there any more: it goes on as long as it may, and lets go
    third = pod("pod-3")
    taken = 'answers_taken_over_total{why="handed over"} 1.0'
    await asyncio.to_thread(
        eventually, lambda: taken in third.get("/metrics")[1].decode(), within_s=15
    )
    await client.close()


async def test_a_leaving_pod_hands_its_answers_over_at_once(pod):
    first, second = pod("pod-1"), pod("pod-2")
    eventually(lambda: b"peer_pods 1.0" in second.get("/metrics")[1], within_s=10)
    client = await Client.connect([second.url, first.url])
    frames = client.ask(QUESTION, PRODUCT)
    seen = [await anext(frames), await anext(frames)]  # it waits for its manual, without a worker
    begun = time.monotonic()
    second.terminate()
    await asyncio.to_thread(second.process.wait, 6)
    took = time.monotonic() - begun
    taken = 'answers_taken_over_total{why="handed over"} 1.0'
    await asyncio.to_thread(
        eventually, lambda: taken in first.get("/metrics")[1].decode(), within_s=5
    )
    await client.close()

    assert second.process.returncode == 0
    assert took < 4
    assert '"handed_over": 1' in second.log
    assert seen[-1]["state"] == "fetching"
