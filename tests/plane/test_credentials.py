"""Keys: the user's, issued ones, nodes'."""

from __future__ import annotations

from sm_ssh_entry.plane.credentials import REMEMBER_EXPIRED_SECONDS, Credentials


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_users_key_is_random_and_has_no_token() -> None:
    one, other = Credentials("1", Clock()).user, Credentials("1", Clock()).user
    assert one.access_key.startswith("AKIA")
    assert len(one.access_key) == 20
    assert one.secret != other.secret
    assert set(one.environment()) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


def test_an_issued_key_expires_when_it_says_and_denies_what_it_says() -> None:
    made = Credentials("1", Clock()).issue(expires_in=60, deny=["ssm:Start*", "sts:GetCallerIdentity"])
    assert made.expires == 1060.0
    assert made.environment()["AWS_SESSION_TOKEN"] == made.token
    assert made.denies("ssm:startsession")
    assert made.denies("sts:GetCallerIdentity")
    assert not made.denies("ssm:SendCommand")


def test_a_nodes_keys_go_with_the_node() -> None:
    credentials = Credentials("1", Clock())
    gone, stays = credentials.issue(node_id="mi-1"), credentials.issue(node_id="mi-2")
    credentials.drop_node("mi-1")
    assert credentials.get(gone.access_key) is None
    assert credentials.get(stays.access_key) is stays


def test_expired_keys_are_forgotten_in_the_end() -> None:
    """A node's sessions each ask for a key of their own: the table must not grow for ever."""
    clock = Clock()
    credentials = Credentials("1", clock)
    old = [credentials.issue(expires_in=10) for _ in range(300)]
    clock.now += 11 + REMEMBER_EXPIRED_SECONDS
    young = [credentials.issue(expires_in=10) for _ in range(300)]
    assert not any(credentials.get(one.access_key) for one in old)
    assert all(credentials.get(one.access_key) for one in young)
    assert credentials.get(credentials.user.access_key)
