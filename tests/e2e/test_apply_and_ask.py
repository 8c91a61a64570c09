"""From one resource to an answered question."""

from tests.e2e.conftest import Customer, Support
from tests.e2e.kubectl import Kubectl, condition

QUESTION = "how do I set the kick sensitivity?"


def test_an_empty_spec_is_ready_within_a_minute(support: Support) -> None:
    assert support.seconds_to_ready <= 60


def test_the_columns_tell_the_story(kubectl: Kubectl, support: Support) -> None:
    header, row = kubectl.run("get", "hscjit", support.name).splitlines()

    assert header.split() == [
        "NAME", "READY", "STATUS", "API", "WORKERS", "AUTOPILOT", "BACKUP", "AGE",
    ]  # fmt: skip
    assert row.split()[:6] == [support.name, "True", "Answering", "2/2", "1/1", "Act"]


def test_every_condition_is_set_for_the_present_generation(
    kubectl: Kubectl, support: Support
) -> None:
    found = kubectl.get("hscjit", support.name)
    assert found is not None
    wanted = {
        "Ready", "Available", "Progressing", "Degraded", "Reconciling", "Stalled", "SpecValid",
        "DatabaseMigrated", "MetricsAvailable", "ScalingActive", "RemediationAllowed",
        "BackupSucceeded",
    }  # fmt: skip

    conditions = {c["type"]: c for c in found["status"]["conditions"]}

    assert wanted <= conditions.keys()
    assert {c["observedGeneration"] for c in conditions.values()} == {
        found["metadata"]["generation"]
    }
    assert all(c["reason"] for c in conditions.values())
    assert condition(found, "Stalled")["status"] == "False"


def test_typing_is_answered_through_the_service(customer: Customer) -> None:
    (prediction,) = customer.say("predict", "rolnd td17")

    best = prediction["data"][0]
    assert "TD-17" in best["product"]["name"]
    assert 0.5 < best["confidence"] <= 1


def test_swapped_words_and_typos_find_the_same_product(customer: Customer) -> None:
    for typed in ("td17kvx roland", "Rolnad TD-17 KVX", "roland td-17k"):
        (prediction,) = customer.say("predict", typed)
        assert "TD-17" in prediction["data"][0]["product"]["name"], typed


def test_a_question_is_answered_from_the_manual_with_its_page(customer: Customer) -> None:
    (prediction,) = customer.say("predict", "rolnd td17")
    product = prediction["data"][0]["product"]["id"]

    frames = customer.say("ask", product, QUESTION)

    text = "".join(f["content"] for f in frames if f["type"] == "answer_chunk")
    (context,) = [f for f in frames if f["type"] == "context"]
    assert "sensitivity" in text.casefold()
    assert context["sources"], "an answer names its sources"
    assert all(source["page"] >= 1 and source["url"] for source in context["sources"])
    assert frames[-1]["type"] == "answer_done"


def test_the_pods_run_as_the_strictest_namespace_wants(kubectl: Kubectl, support: Support) -> None:
    refused = kubectl.run("get", "events", "--field-selector=reason=FailedCreate", "-o", "name")
    assert refused == ""
    pods = kubectl.find("pods", f"app.kubernetes.io/instance={support.name}")
    assert pods
    assert all(
        not status["restartCount"] for p in pods for status in p["status"]["containerStatuses"]
    )
