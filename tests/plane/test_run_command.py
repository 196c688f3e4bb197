"""The states of a command: what each report of a node changes, and what nothing changes any more."""

from __future__ import annotations

import pytest

from sm_ssh_entry.plane.documents import DOCUMENTS
from sm_ssh_entry.plane.run_command import (
    CUT,
    Command,
    Invocation,
    Status,
    cut,
    find_job,
    forget_oldest,
    next_serial,
    untold,
)
from sm_ssh_entry.wire.control import JobAck, JobReply, JobStep

NODE = "mi-00000000000000001"
OTHER = "mi-00000000000000002"


def make(*nodes: str, command_id: str = "c1", delivery: int = 600, execution: int = 60) -> Command:
    command = Command(
        command_id=command_id,
        region="us-east-1",
        document=DOCUMENTS["AWS-RunShellScript"],
        arguments={},
        parameters={},
        requested=1000.0,
        delivery_seconds=delivery,
        execution_seconds=execution,
    )
    command.invocations = {node: Invocation(command_id, node) for node in nodes or (NODE,)}
    return command


def ack(code: int = 200, text: str = "") -> JobAck:
    return JobAck("aws.ssm.c1." + NODE, "m", "", code, text)


def reply(status: str, **steps: JobStep) -> JobReply:
    return JobReply("aws.ssm.c1." + NODE, status, dict(steps))


def test_an_invocation_goes_from_pending_to_success() -> None:
    command = make()
    one = command.invocations[NODE]
    seen = [(command.status, one.details)]
    one.acknowledged(ack())
    seen.append((command.status, one.details))
    one.replied(reply("InProgress"))
    seen.append((command.status, one.details))
    one.replied(reply("Success", run=JobStep("Success", 0, standard_output="hi")))
    seen.append((command.status, one.details))
    assert seen == [
        (Status.PENDING, "Pending"),
        (Status.IN_PROGRESS, "InProgress"),
        (Status.IN_PROGRESS, "InProgress"),
        (Status.SUCCESS, "Success"),
    ]
    assert one.steps["run"].standard_output == "hi"


@pytest.mark.parametrize(
    ("word", "status", "details"),
    [
        ("Success", Status.SUCCESS, "Success"),
        ("Failed", Status.FAILED, "Failed"),
        ("Cancelled", Status.CANCELLED, "Cancelled"),
        ("TimedOut", Status.TIMED_OUT, "ExecutionTimedOut"),
    ],
)
def test_a_final_state_is_sticky(word: str, status: Status, details: str) -> None:
    command = make()
    one = command.invocations[NODE]
    one.replied(reply(word, run=JobStep(word, 3)))
    one.replied(reply("InProgress"))
    one.replied(reply("Failed" if word != "Failed" else "Success"))
    one.acknowledged(ack(51499))
    one.cancel()
    command.expire(1e12)
    assert (one.status, one.details, one.steps["run"].code) == (status, details, 3)


def test_a_reply_that_overtakes_the_receipt_counts() -> None:
    one = make().invocations[NODE]
    one.replied(reply("InProgress"))
    one.acknowledged(ack())
    assert one.status is Status.IN_PROGRESS


def test_an_unknown_word_of_a_newer_agent_is_progress() -> None:
    one = make().invocations[NODE]
    one.replied(reply("Pondering"))
    assert one.status is Status.IN_PROGRESS


def test_a_refusal_says_why_and_a_duplicate_is_none() -> None:
    refused, repeated = make().invocations[NODE], make().invocations[NODE]
    refused.acknowledged(ack(51406, "invalid document"))
    repeated.acknowledged(ack(51405))
    assert (refused.status, refused.details, refused.trace) == (
        Status.FAILED,
        "Undeliverable",
        "51406 invalid document",
    )
    assert repeated.status is Status.IN_PROGRESS


def test_what_is_not_acknowledged_is_sent_again_and_less_and_less_often() -> None:
    command = make(delivery=86400)
    one = command.invocations[NODE]
    assert one.due == 0.0
    pauses = []
    now = 1000.0
    for _ in range(9):
        one.note_sent(now)
        assert one.due is not None
        pauses.append(one.due - now)
        now = one.due
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    one.acknowledged(ack())
    assert one.due is None


def test_a_full_buffer_leaves_it_waiting_for_the_next_chance() -> None:
    command = make()
    one = command.invocations[NODE]
    one.note_sent(1000.0)
    one.acknowledged(ack(51402))
    assert [(found, due) for _, found, due in untold({"c1": command}, NODE, 1000.0)] == [(one, 1000.5)]


def test_what_was_not_acknowledged_goes_out_at_once_on_a_new_channel() -> None:
    command = make()
    one = command.invocations[NODE]
    one.note_sent(1000.0)
    one.channel_opened()
    assert [due for _, _, due in untold({"c1": command}, NODE, 1000.0)] == [0.0]
    one.acknowledged(ack())
    one.channel_opened()
    assert not list(untold({"c1": command}, NODE, 1000.0))


def test_cancelling_before_the_node_heard_of_it_ends_it_at_once() -> None:
    one = make().invocations[NODE]
    one.cancel()
    assert one.status is Status.CANCELLED


def test_cancelling_a_running_one_waits_for_the_node() -> None:
    command = make()
    commands = {"c1": command}
    one = command.invocations[NODE]
    one.note_sent(1000.0)
    one.acknowledged(ack())
    one.cancel()
    assert command.status.value == "Cancelling"
    first = one.cancel_id
    one.cancel()
    assert one.cancel_id == first != one.job_id
    assert [due for _, _, due in untold(commands, NODE, 1000.0)] == [0.0]
    assert find_job(commands, first, NODE) is one
    assert find_job(commands, first, OTHER) is None
    one.acknowledged(JobAck(first, "m", ""))
    assert not list(untold(commands, NODE, 1000.0))
    one.replied(reply("InProgress"))
    assert one.status.value == "Cancelling"
    one.replied(reply("Cancelled"))
    assert one.status.value == "Cancelled"


def test_delivery_and_execution_time_out_separately() -> None:
    command = make(NODE, OTHER, delivery=600, execution=60)
    command.invocations[NODE].replied(reply("InProgress"))
    command.expire(1599.0)
    assert command.status.value == "InProgress"
    command.expire(1600.0)
    assert command.invocations[OTHER].details == "DeliveryTimedOut"
    assert command.invocations[NODE].status is Status.IN_PROGRESS
    command.expire(1660.0)
    assert command.invocations[NODE].details == "ExecutionTimedOut"
    assert command.status.value == "TimedOut"


def test_nothing_late_is_delivered() -> None:
    command = make(delivery=30)
    assert not list(untold({"c1": command}, NODE, 1030.0))
    assert command.invocations[NODE].status is Status.TIMED_OUT


def test_a_cancellation_that_nobody_confirms_is_over_when_the_command_would_be() -> None:
    command = make(delivery=30, execution=60)
    one = command.invocations[NODE]
    one.replied(reply("InProgress"))
    one.cancel()
    command.expire(1090.0)
    assert one.status is Status.CANCELLED


def test_a_command_is_as_bad_as_its_worst_invocation() -> None:
    command = make(NODE, OTHER)
    command.invocations[NODE].replied(reply("Success"))
    assert command.status is Status.IN_PROGRESS
    command.invocations[OTHER].replied(reply("TimedOut"))
    assert (command.status, command.details) == (Status.TIMED_OUT, "ExecutionTimedOut")
    assert command.count(Status.SUCCESS) == 1


def test_a_command_without_nodes_says_so() -> None:
    command = make()
    command.invocations = {}
    assert (command.status, command.details) == (Status.SUCCESS, "NoInstancesInTag")


def test_a_node_reports_on_its_own_jobs_only() -> None:
    commands = {"c1": make(NODE, OTHER)}
    assert find_job(commands, f"aws.ssm.c1.{NODE}", NODE) is commands["c1"].invocations[NODE]
    for job_id in (f"aws.ssm.c1.{OTHER}", f"aws.ssm.c2.{NODE}", "", "c1", f"x.y.c1.{NODE}", "...."):
        assert find_job(commands, job_id, NODE) is None


def test_only_finished_commands_are_forgotten_and_places_never_repeat() -> None:
    commands: dict[str, Command] = {}
    for number in range(6):
        command = make(command_id=str(number))
        command.serial = next_serial(commands)
        commands[command.command_id] = command
    commands["1"].invocations[NODE].cancel()
    commands["4"].invocations[NODE].cancel()
    forget_oldest(commands, keep=5)
    assert list(commands) == ["0", "2", "3", "4", "5"]
    forget_oldest(commands, keep=2)
    assert list(commands) == ["0", "2", "3", "5"]
    assert next_serial(commands) == 7


def test_a_cut_text_fits_and_says_so() -> None:
    assert cut("abc", 3) == "abc"
    long = cut("x" * 100, 50)
    assert len(long) == 50
    assert long.endswith(CUT)
