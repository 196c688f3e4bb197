"""A link with a token: shown once, to who knows the way, and never on a command line."""

from __future__ import annotations

import http.client
import socket
import webbrowser
from urllib.parse import urlsplit

import pytest

from sm_ssh_entry.connect.launch import browser
from tests.waiting import wait_until


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    links: list[str] = []

    def note(link: str) -> bool:
        links.append(link)
        return True

    monkeypatch.setattr(webbrowser, "open", note)
    return links


def get(port: int, path: str) -> tuple[int, str | None]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", path)
    answer = connection.getresponse()
    connection.close()
    return answer.status, answer.getheader("Location")


def test_it_redirects_once_and_is_gone(shown: list[str]) -> None:
    assert browser.show("http://127.0.0.1:1/lab?token=secret")
    link = urlsplit(shown[0])
    assert "secret" not in shown[0]
    assert link.port
    assert get(link.port, "/") == (404, None)
    assert get(link.port, link.path) == (302, "http://127.0.0.1:1/lab?token=secret")
    port = link.port

    def gone() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    wait_until(gone, what="the redirection is gone")


def test_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    assert browser.show("http://x") is False
