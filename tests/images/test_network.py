"""How a URL is opened: certificates are checked, proxies honoured, mirrors used."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme

from sm_ssh_entry.errors import BadInput, NotFound, Unreachable
from sm_ssh_entry.images.network import Mirrors
from tests.images.heard import Heard, network
from tests.images.publisher import Publisher


class Tls:
    """A TLS server that answers everything alike."""

    def __init__(self, authority: trustme.CA, location: str = "") -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(302 if location else 200)
                if location:
                    self.send_header("Location", location)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                pass

        class Server(HTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a client that does not trust us

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_address[1]}/file"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> Iterator[Tls]:
    found = Tls(authority)
    yield found
    found.close()


def test_a_certificate_that_nobody_vouches_for_is_refused(tls: Tls) -> None:
    with pytest.raises(Unreachable, match="its certificate is not trusted") as caught:
        network(Heard()).read(tls.url, 10)
    assert "SSL_CERT_FILE" in caught.value.hint


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"])
def test_a_company_s_own_authority_is_trusted(tls: Tls, authority: trustme.CA, tmp_path: Path, variable: str) -> None:
    bundle = tmp_path / "company.pem"
    authority.cert_pem.write_to_path(str(bundle))
    assert network(Heard(), None, **{variable: str(bundle)}).read(tls.url, 10) == b"ok"


def test_a_bundle_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.pem"):
        network(Heard(), AWS_CA_BUNDLE=str(tmp_path / "gone.pem")).read("https://localhost:1/", 10)


def test_what_is_asked_for_over_tls_is_not_taken_without(
    site: Publisher, authority: trustme.CA, tmp_path: Path
) -> None:
    bundle = tmp_path / "company.pem"
    authority.cert_pem.write_to_path(str(bundle))
    leading = Tls(authority, location=site.publish("/file", b"not so"))
    try:
        with pytest.raises(Unreachable, match="leads to an address without TLS"):
            network(Heard(), AWS_CA_BUNDLE=str(bundle)).read(leading.url, 10)
    finally:
        leading.close()
    assert site.asked == []


def test_a_proxy_of_the_environment_is_used(site: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain proxy is asked for the whole address."""
    monkeypatch.setenv("http_proxy", site.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    site.publish("http://archive.example/file", b"through the proxy")
    assert network(Heard()).read("http://archive.example/file", 100) == b"through the proxy"


def test_more_than_is_expected_is_refused(site: Publisher) -> None:
    url = site.publish("/big", b"x" * 101)
    with pytest.raises(Unreachable, match="more than 100 bytes"):
        network(Heard()).read(url, 100)
    assert network(Heard()).read(url, 101) == b"x" * 101


def test_the_longest_prefix_of_mirrors_counts_and_the_way_back_is_the_same() -> None:
    mirrors = Mirrors.parse(
        ["https://pypi.org/=https://mirror.example/pypi/?a=b&p=", "https://pypi.org/simple=file:///srv/simple"]
    )
    for public, private in {
        "https://pypi.org/x": "https://mirror.example/pypi/?a=b&p=x",
        "https://pypi.org/simple/x": "file:///srv/simple/x",
        "https://other.example/": "https://other.example/",
    }.items():
        assert mirrors.towards(public) == private
        assert mirrors.back(private) == public


@pytest.mark.parametrize(
    "word", ["", "https://pypi.org/", "=https://x/", "https://pypi.org/=/srv", "ftp://a/=https://b/"]
)
def test_what_is_no_mirror_is_bad_input(word: str) -> None:
    with pytest.raises(BadInput, match="not a mirror"):
        Mirrors.parse([word])


def test_other_schemes_are_not_opened() -> None:
    with pytest.raises(BadInput, match="not an address"):
        network(Heard()).size("ftp://archive.example/file")


def test_a_missing_file_of_a_folder_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        network(Heard()).size((tmp_path / "gone").as_uri())
