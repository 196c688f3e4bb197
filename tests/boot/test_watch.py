from __future__ import annotations

import pytest

from sm_ssh_entry.boot.watch import SILENT_SUCCESS, AgentWatch, News

ONLINE = b"2026-11-21 INFO [ssm-agent-worker] [MessageService] [MGSInteractor] Set up control channel successfully\n"
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


@pytest.mark.parametrize("text", [b"", b"no control channel: refused\n", b"control channel closed by the service\n"])
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


def test_agent_that_ended_is_not_online() -> None:
    watch = started()
    watch.heard(ONLINE, 0.0)
    watch.stopped()
    assert not watch.online
    assert watch.tick(1000.0) is None
