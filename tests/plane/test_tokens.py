"""Tokens of channels: one use, one purpose, a short while."""

from __future__ import annotations

from sm_ssh_entry.plane.tokens import Tokens


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_token_opens_its_channel_once() -> None:
    tokens = Tokens(Clock(), lambda: 60.0)
    token = tokens.issue("agent", "s1")
    assert len(token) <= 300
    assert tokens.redeem("agent", "s1", token)
    assert not tokens.redeem("agent", "s1", token)


def test_a_token_is_no_good_for_another_role_or_channel() -> None:
    tokens = Tokens(Clock(), lambda: 60.0)
    token = tokens.issue("agent", "s1")
    assert not tokens.redeem("client", "s1", token)
    assert not tokens.redeem("agent", "s2", token)
    assert tokens.redeem("agent", "s1", token)


def test_wrong_tokens_do_not_use_up_the_right_one() -> None:
    tokens = Tokens(Clock(), lambda: 60.0)
    token = tokens.issue("client", "s1")
    for wrong in ("", token[:-1], token + "x", "é", "\ud800"):
        assert not tokens.redeem("client", "s1", wrong)
    assert tokens.redeem("client", "s1", token)


def test_a_token_grows_old() -> None:
    clock = Clock()
    tokens = Tokens(clock, lambda: 60.0)
    token = tokens.issue("client", "s1")
    clock.now += 60.0
    assert not tokens.redeem("client", "s1", token)


def test_a_newer_token_voids_the_older_one_and_forgetting_voids_all() -> None:
    tokens = Tokens(Clock(), lambda: 60.0)
    first, second = tokens.issue("client", "s1"), tokens.issue("client", "s1")
    agent = tokens.issue("agent", "s1")
    other = tokens.issue("agent", "s2")
    assert not tokens.redeem("client", "s1", first)
    tokens.forget("s1")
    assert not tokens.redeem("client", "s1", second)
    assert not tokens.redeem("agent", "s1", agent)
    assert tokens.redeem("agent", "s2", other)
