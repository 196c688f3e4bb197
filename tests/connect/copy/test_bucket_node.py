"""The node's loop fetches and sends with Python, curl or wget, whichever there is; addresses stay secret."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sm_ssh_entry.connect.copy.bucket_node import BucketNode
from sm_ssh_entry.errors import SmSshError, ToolMissing
from tests.connect.copy.server import LocalRoute, run
from tests.connect.copy.test_checksum import only
from tests.end_to_end.machine import processes

SECRET = "Signature=0123456789abcdef&x='%24(id)'"


class Store(ThreadingHTTPServer):
    """Objects by path; a GET or PUT without the secret is refused."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, bytes] = {}
        self.seen: list[int] = []

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}?{SECRET}"


class Handler(BaseHTTPRequestHandler):
    server: Store

    def _name(self) -> str | None:
        # Whoever has the address in its arguments or environment now, has it for everyone on the node to see.
        self.server.seen += processes(lambda words, env: SECRET[:26] in words + "".join(env.values()))
        path, _, query = self.path.partition("?")
        if query != SECRET:
            self.send_error(403)
            return None
        return path[1:]

    def do_GET(self) -> None:
        name = self._name()
        if name in self.server.objects:
            data = self.server.objects[name]
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        elif name:
            self.send_error(404)

    def do_PUT(self) -> None:
        name = self._name()
        if name:
            self.server.objects[name] = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("ETag", f'"{name}"')
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("way", ["python", "curl", "wget"])
def test_there_and_back(way: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_SSH_ROOT", str(tmp_path))
    monkeypatch.delenv("SM_SSH_PYTHON", raising=False)
    path = only(tmp_path / "programs", *([] if way == "python" else [way]))
    monkeypatch.setenv("PATH", path)
    if way == "python":
        (tmp_path / "opt" / "sm-ssh" / "bin").mkdir(parents=True)
        (tmp_path / "opt" / "sm-ssh" / "bin" / "python").symlink_to(sys.executable)
    store.objects["a"] = os.urandom(2_000_003)
    target = tmp_path / "ü 'x'\n"

    async def work() -> None:
        node = BucketNode(LocalRoute(tmp_path))
        await node.begin()
        try:
            assert node.knows_parts == (way == "python")
            assert await node.move("get", str(target), 0, 0, store.address("a")) == "-"
            assert target.read_bytes() == store.objects["a"]
            assert target.stat().st_mode & 0o077 == 0
            if way == "python":
                assert await node.move("put", str(target), 5, 100, store.address("part")) == '"part"'
                assert store.objects["part"] == store.objects["a"][5:105]
            if way != "wget":
                await node.move("put", str(target), 0, 2_000_003, store.address("whole"))
                assert store.objects["whole"] == store.objects["a"]
            with pytest.raises(SmSshError) as raised:
                await node.move("get", str(target), 0, 0, store.address("nothing"))
            assert "could not fetch from the bucket" in raised.value.message
            assert "Signature" not in raised.value.message
        finally:
            await node.end()

    run(work())
    assert not store.seen


def test_a_node_with_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_SSH_ROOT", str(tmp_path))
    monkeypatch.delenv("SM_SSH_PYTHON", raising=False)
    monkeypatch.setenv("PATH", only(tmp_path / "programs"))

    async def work() -> None:
        node = BucketNode(LocalRoute(tmp_path))
        try:
            with pytest.raises(ToolMissing, match="neither Python nor curl nor wget"):
                await node.begin()
        finally:
            await node.end()

    run(work())
