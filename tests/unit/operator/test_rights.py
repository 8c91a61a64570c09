"""Which rights are missing is remembered for as long as it is true, and asked without effect."""

import pytest

from hscjit_operator.cluster.errors import FORBIDDEN, ApiError, Request
from hscjit_operator.cluster.kinds import AUTOSCALER, CONFIG_MAP, POD, Kind
from hscjit_operator.cluster.rights import Lack, Rights


def forbidden(
    verb: str, resource: str, group: str = "", kind: Kind = POD, *, path: str = ""
) -> ApiError:
    words = f'User "operator" cannot {verb} resource "{resource}" in API group "{group}"'
    request = Request("GET", kind, path or kind.path("shop", "a"))
    return ApiError(request, FORBIDDEN, "Forbidden", words)


class Server:
    """Tells what it would say now."""

    def __init__(self) -> None:
        self.allows = False
        self.asked: list[ApiError] = []

    async def rehearse(self, error: ApiError) -> bool:
        self.asked.append(error)
        return self.allows


class Story:
    def __init__(self) -> None:
        self.server = Server()
        self.changes = 0
        self.rights = Rights(self.server, self.count, period_s=60)  # type: ignore[arg-type]

    def count(self) -> None:
        self.changes += 1


RIGHTS = {
    "of the core": (forbidden("get", "pods"), "get pods"),
    "of a group": (
        forbidden("patch", "horizontalpodautoscalers", "autoscaling", AUTOSCALER),
        "patch horizontalpodautoscalers (autoscaling)",
    ),
    "of what is below an object": (forbidden("create", "pods/eviction"), "create pods/eviction"),
    "said behind a very long name": (
        ApiError(
            Request("GET", POD, "/"), FORBIDDEN, "Forbidden",
            f'{"x" * 500} cannot get resource "pods" in API group "" in the namespace "a"',
        ),
        "get pods",
    ),
    "a quota, which is none": (
        ApiError(Request("POST", POD, "/"), FORBIDDEN, "Forbidden", "exceeded quota: pods"), "",
    ),
    "another refusal": (
        ApiError(Request("POST", POD, "/"), 409, "Conflict", 'cannot get resource "a"'), "",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("error", "right"), RIGHTS.values(), ids=RIGHTS)
def test_the_right_is_taken_from_the_servers_words(error: ApiError, right: str):
    assert error.right == right


async def test_a_missing_right_is_told_once_and_until_it_is_there():
    story = Story()
    story.rights.note(forbidden("get", "configmaps", kind=CONFIG_MAP))
    story.rights.note(
        forbidden("get", "configmaps", kind=CONFIG_MAP, path=CONFIG_MAP.path("shop", "another"))
    )
    said = "GET ConfigMap is forbidden: grant the operator the right to get configmaps"
    assert story.rights.lacking("shop") == [Lack("ConfigMap", said)]
    assert (story.changes, story.rights.lacking("stage")) == (1, [])

    await story.rights.look()
    assert (story.changes, len(story.rights.lacking("shop"))) == (1, 1)

    story.server.allows = True
    await story.rights.look()
    assert (story.changes, story.rights.lacking("shop")) == (2, [])
    await story.rights.look()
    assert len(story.server.asked) == 2


def test_what_is_below_an_object_and_what_is_everywhere_are_rights_of_their_own():
    story = Story()
    evict = forbidden("create", "pods/eviction", path=POD.path("shop", "a", "eviction"))
    everywhere = forbidden("list", "pods", path=POD.collection(None))
    for error in (forbidden("get", "pods"), evict, everywhere):
        story.rights.note(error)

    assert len(story.rights.lacking("shop")) == 3
    assert [lack.message.rpartition(" to ")[2] for lack in story.rights.lacking("stage")] == [
        "list pods"
    ]


def test_what_no_role_is_to_blame_for_is_not_kept():
    story = Story()
    story.rights.note(ApiError(Request("POST", POD, "/"), FORBIDDEN, "Forbidden", "over quota"))

    assert (story.changes, story.rights.lacking("shop")) == (0, [])
