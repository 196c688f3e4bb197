"""Where the agent finds its service."""

from __future__ import annotations

import pytest

from sm_ssh_entry.errors import BadInput
from sm_ssh_entry.plane.agent.settings import from_environment


def test_the_gateway_is_the_same_url_unless_it_is_named() -> None:
    found = from_environment({"AWS_ENDPOINT_URL": "http://127.0.0.1:1/", "SM_SSH_ROOT": "/r"})
    assert (found.ssm_url, found.gateway_url) == ("http://127.0.0.1:1", "http://127.0.0.1:1")
    assert str(found.paths.registration) == "/r/var/lib/amazon/ssm/registration"
    found = from_environment(
        {
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ENDPOINT_URL_SSM": "https://127.0.0.1:2",
            "SM_SSH_MGS_ENDPOINT": "https://127.0.0.1:3",
        }
    )
    assert (found.ssm_url, found.gateway_url) == ("https://127.0.0.1:2", "https://127.0.0.1:3")


def test_only_the_word_official_slows_it_down() -> None:
    base = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    assert from_environment(base).pace == 0
    assert from_environment({**base, "SM_SSH_AGENT_PACE": "official"}).pace == 0.001
    assert from_environment({**base, "SM_SSH_AGENT_PACE": "4"}).pace == 0.004
    with pytest.raises(BadInput):
        from_environment({**base, "SM_SSH_AGENT_PACE": "fast"})


@pytest.mark.parametrize("url", ["", "127.0.0.1:80", "ftp://127.0.0.1", "http://", "http://h:nan", "http://h:99999"])
def test_an_endpoint_must_be_a_url(url: str) -> None:
    with pytest.raises(BadInput):
        from_environment({"AWS_ENDPOINT_URL": url})
