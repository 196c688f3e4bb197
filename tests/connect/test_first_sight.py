"""The host key in streams of a real sshd, whatever the exchange and the cuts; and in any bytes at all."""

from __future__ import annotations

import base64
import random
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sm_ssh_entry.connect import hostkeys
from sm_ssh_entry.connect.first_sight import FirstSight
from tests.connect.world import WITHOUT_SSHD, Sshd, keygen

EXCHANGES = (
    "curve25519-sha256",
    "sntrup761x25519-sha512@openssh.com",
    "mlkem768x25519-sha256",
    "ecdh-sha2-nistp256",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group-exchange-sha256",
)
# A ProxyCommand that notes what the server says.
_NOTING = """
import os, socket, sys, threading
server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def up():
    while data := os.read(0, 65536):
        server.sendall(data)
threading.Thread(target=up, daemon=True).start()
with open(sys.argv[2], "ab", buffering=0) as noted:
    while data := server.recv(65536):
        noted.write(data)
        os.write(1, data)
"""


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = Sshd(tmp_path_factory.mktemp("first") / "sshd").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def stream(sshd: Sshd, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return recorded(sshd, EXCHANGES[0], tmp_path_factory.mktemp("stream"))


def recorded(sshd: Sshd, exchange: str, folder: Path) -> bytes:
    """Return what the server says to a real ``ssh`` in one exchange of keys."""
    script, noted = folder / "noting.py", folder / "noted"
    script.write_text(_NOTING)
    options = (
        f"ProxyCommand={sys.executable} {script} {sshd.port} {noted}",
        f"KexAlgorithms={exchange}",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "BatchMode=yes",
        "IdentityFile=none",
    )
    argv = ["ssh", "-F", "none", *(word for option in options for word in ("-o", option)), "nobody@host", "true"]
    subprocess.run(argv, capture_output=True, check=False, timeout=120)
    return noted.read_bytes()


def seen(pieces: list[bytes]) -> list[str]:
    """Return every key that is found."""
    sight = FirstSight()
    return [key for key in (sight.feed(piece) for piece in pieces) if key]


@pytest.mark.sshd
@pytest.mark.skipif(WITHOUT_SSHD, reason="no OpenSSH server and client here")
@pytest.mark.parametrize("exchange", EXCHANGES)
def test_every_exchange_shows_the_key(sshd: Sshd, tmp_path: Path, exchange: str) -> None:
    known = subprocess.run(["ssh", "-Q", "kex"], capture_output=True, text=True, check=True).stdout.split()
    if exchange not in known:
        pytest.skip(f"this ssh does not know {exchange}")
    said = recorded(sshd, exchange, tmp_path)
    assert seen([said]) == [sshd.host_key]
    assert seen([said[place : place + 1] for place in range(len(said))]) == [sshd.host_key]


@pytest.mark.sshd
@pytest.mark.skipif(WITHOUT_SSHD, reason="no OpenSSH server and client here")
def test_the_key_comes_with_the_last_byte_of_its_packet(sshd: Sshd, stream: bytes) -> None:
    """So what shows the key to ``ssh`` can still be held back."""
    sight = FirstSight()
    for place in range(len(stream)):
        if sight.feed(stream[place : place + 1]):
            break
    blob = base64.b64decode(sshd.host_key.split()[1])
    assert stream.find(blob) + len(blob) <= place
    reply = stream[: place + 1]
    assert seen([reply[:-1]]) == []
    assert sight.is_over
    assert sight.feed(stream) == ""


@pytest.mark.sshd
@pytest.mark.skipif(WITHOUT_SSHD, reason="no OpenSSH server and client here")
def test_cuts_and_lines_before_the_greeting_change_nothing(sshd: Sshd, stream: bytes) -> None:
    chance = random.Random(1)
    for _ in range(300):
        said = b"hello\r\nthere\n" * chance.randrange(3) + stream
        cuts = sorted(chance.choices(range(len(said)), k=chance.randrange(12)))
        pieces = [said[start:end] for start, end in zip([0, *cuts], [*cuts, len(said)], strict=True)]
        assert seen(pieces) == [sshd.host_key]


@pytest.mark.sshd
@pytest.mark.skipif(WITHOUT_SSHD, reason="no OpenSSH server and client here")
def test_a_broken_stream_gives_a_key_or_none_and_never_an_error(stream: bytes) -> None:
    chance = random.Random(2)
    for _ in range(3000):
        said = bytearray(stream)
        for _ in range(chance.randrange(1, 6)):
            said[chance.randrange(len(said))] = chance.randrange(256)
        del said[chance.randrange(len(said)) :]
        for key in seen([bytes(said)]):
            assert "\n" not in key
            hostkeys.fingerprint(key)


def test_any_bytes() -> None:
    chance = random.Random(3)
    for _ in range(3000):
        noise = chance.randbytes(chance.randrange(400))
        for said in (noise, b"SSH-2.0-x\r\n" + noise, b"SSH-2.0-x\r\n" + packet(noise or b"\0")):
            for key in seen([said[place : place + 7] for place in range(0, len(said), 7)]):
                hostkeys.fingerprint(key)


def packet(payload: bytes, padding: int = 4) -> bytes:
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def reply(blob: bytes, number: int = 31) -> bytes:
    return b"SSH-2.0-x\r\n" + packet(bytes([20]) + bytes(40)) + packet(bytes([number]) + string(blob) + string(b"f"))


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-x\r\n" + struct.pack(">IB", 1 << 30, 4),
        b"SSH-2.0-x\r\n" + struct.pack(">IB", 3, 4) + bytes(20),
        b"x" * 300,
        b"x\n" * 2000,
        b"SSH-2.0-x\r\n" + packet(bytes([21])) + reply(string(b"ssh-ed25519") + string(bytes(32)))[11:],
    ],
    ids=["a packet without end", "padding beyond its packet", "a line without end", "lines without end", "too late"],
)
def test_what_is_no_key_exchange_ends_the_search(said: bytes) -> None:
    sight = FirstSight()
    assert sight.feed(said) == ""
    assert sight.is_over
    assert not sight._held


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        bytes(64),
        string(b"ssh-ed25519"),
        string(b"ssh ed\n25519") + string(b"k"),
        string(b"") + b"k",
        b"\0\0\0\xff",
    ],
)
def test_what_is_no_key_is_not_taken_for_one(blob: bytes) -> None:
    assert seen([reply(blob)]) == []


def test_the_reply_of_a_negotiated_group() -> None:
    """Its message 31 holds a prime; the key is in message 33."""
    blob = string(b"ssh-ed25519") + string(bytes(32))
    prime = packet(bytes([31]) + string(b"\0" + b"\xff" * 256) + string(b"\2"))
    said = b"SSH-2.0-x\r\n" + prime + reply(blob, 33)[11:]
    assert seen([said]) == [f"ssh-ed25519 {base64.b64encode(blob).decode()}"]


def test_a_key_of_openssh_is_read_as_openssh_writes_it(tmp_path: Path) -> None:
    key = keygen(tmp_path / "host", kind="ecdsa")
    assert seen([reply(base64.b64decode(key.split()[1]))]) == [key]
