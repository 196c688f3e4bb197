from __future__ import annotations

import pytest

from sm_ssh_entry.boot.watch import SILENT_SUCCESS, AgentWatch, News

ONLINE = b"2026-11-21 INFO [ssm-agent-worker] [MessageService] [MGSInteractor] Set up control channel successfully\n"
REFUSED = (
    b"2026-11-21 ERROR [ssm-agent-worker] [MessageService] [MGSInteractor] Failed to get controlchannel token, error: "
    b"CreateControlChannel failed with error: dial tcp: lookup ssmmessages.us-east-1.amazonaws.com: no such host\n"
)
SLEEPS = b"2026-11-21 INFO Agent is in hibernate mode. Reducing logging.\n"


def started() -> AgentWatch:
    watch = AgentWatch(0.0)
    watch.started(0.0)
    return watch


@pytest.mark.parametrize("text", [ONLINE, b"[sm-ssh] stand-in agent: INFO control channel open\n"])
def test_online_whole_and_byte_by_byte(text: bytes) -> None:
    assert started().heard(text, 1.0) is News.ONLINE
    watch = started()
    told = [watch.heard(bytes([byte]), 1.0) for byte in text]
    assert [news for news in told if news] == [News.ONLINE]
    assert watch.online


@pytest.mark.parametrize("text", [b"", b"failed to get a token\n", b"control channel closed by the service\n"])
def test_other_lines_are_no_news(text: bytes) -> None:
    watch = started()
    assert watch.heard(text, 1.0) is None
    assert not watch.online


def test_hibernation_restarts_at_once_then_less_often() -> None:
    watch = started()
    now = 0.0
    delays = []
    for _ in range(8):
        assert watch.heard(SLEEPS, now) is None
        began = now
        while watch.tick(now) is not News.RESTART:
            now += 1.0
        delays.append(now - began)
        watch.started(now)
    assert delays == [0, 5, 10, 20, 40, 60, 60, 60]


def test_online_forgets_the_restarts() -> None:
    watch = started()
    for _ in range(4):
        watch.heard(SLEEPS, 0.0)
        watch.tick(1000.0)
        watch.started(0.0)
    watch.heard(ONLINE, 0.0)
    watch.heard(SLEEPS, 0.0)
    assert watch.tick(0.0) is News.RESTART


def test_two_signs_of_one_sleep_are_one_restart() -> None:
    watch = started()
    watch.heard(SLEEPS, 0.0)
    watch.slept(0.0)
    assert [watch.tick(0.0), watch.tick(0.0)] == [News.RESTART, None]


def test_silence_counts_as_online_after_a_while() -> None:
    watch = started()
    assert watch.tick(SILENT_SUCCESS - 1) is None
    assert watch.tick(SILENT_SUCCESS) is News.ONLINE
    assert watch.tick(SILENT_SUCCESS + 1) is None


@pytest.mark.parametrize("text", [REFUSED, b"[sm-ssh] stand-in agent: WARNING no control channel: refused\n"])
def test_without_a_control_channel_silence_does_not_count(text: bytes) -> None:
    watch = started()
    assert watch.heard(text, 1.0) is News.UNREACHED
    assert watch.heard(text, 11.0) is None
    assert watch.tick(1000.0) is None
    assert watch.heard(ONLINE, 1001.0) is News.ONLINE


def test_a_channel_that_breaks_later_is_no_news_and_a_new_start_is_judged_anew() -> None:
    watch = started()
    watch.heard(ONLINE, 1.0)
    assert watch.heard(REFUSED, 2.0) is None
    watch.stopped()
    watch.started(3.0)
    assert watch.heard(REFUSED, 4.0) is News.UNREACHED


def test_refused_and_then_open_in_one_piece_is_online() -> None:
    assert started().heard(REFUSED + ONLINE, 1.0) is News.ONLINE


def test_agent_that_ended_is_not_online() -> None:
    watch = started()
    watch.heard(ONLINE, 0.0)
    watch.stopped()
    assert not watch.online
    assert watch.tick(1000.0) is None
