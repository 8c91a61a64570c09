"""The demo waits for the page itself: what an HSCJit says may be from before its cluster slept."""

import socket
import threading
from types import SimpleNamespace

import pytest
from tests import demo

NOT_YET = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
YES = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
ANSWERS = {
    "at once": ([YES], True),
    "nobody behind the port, then not yet, then yes": ([b"", NOT_YET, YES], True),
    "never": ([b"", NOT_YET, b"?"], False),
}


@pytest.mark.parametrize(("said", "ready"), ANSWERS.values(), ids=ANSWERS)
def test_a_page_is_up_once_it_says_so(said: list[bytes], ready: bool, monkeypatch):
    asked: list[bytes] = []

    def serve(door: socket.socket) -> None:
        for one in said:
            visitor, _ = door.accept()
            with visitor:
                asked.append(visitor.recv(4096))
                visitor.sendall(one)

    with socket.create_server(("127.0.0.1", 0)) as door:
        serving = threading.Thread(target=serve, args=(door,))
        serving.start()
        clock = iter(range(len(said) + 2))
        time = SimpleNamespace(sleep=lambda _s: None, monotonic=lambda: next(clock))
        monkeypatch.setattr(demo, "time", time)
        found = demo.page_answers(f"http://127.0.0.1:{door.getsockname()[1]}", len(said) + 0.5)
        serving.join()

    assert found is ready
    assert [words.split()[1] for words in asked] == [b"/ready"] * len(said)
