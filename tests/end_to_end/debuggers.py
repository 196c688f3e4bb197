"""What an IDE does: a client of debugpy (the Debug Adapter Protocol), and a server that pydevd calls."""

from __future__ import annotations

import json
import re
import socket
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

_SECONDS = 180.0


class DebugAdapterClient:
    """Attaches to debugpy: https://microsoft.github.io/debug-adapter-protocol/specification.

    Args:
        port: of loopback.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_SECONDS)
        self._file = self._socket.makefile("rb")
        self._seq = 0
        self._early: list[dict[str, Any]] = []

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def send(self, command: str, **arguments: object) -> int:
        """Send a request; return its number."""
        self._seq += 1
        body = json.dumps({"seq": self._seq, "type": "request", "command": command, "arguments": arguments}).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self._seq

    def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        """Send a request; return the body of its answer."""
        return self.answer(self.send(command, **arguments))

    def answer(self, number: int) -> dict[str, Any]:
        """Wait for the answer to a request."""
        found = self._until("response", "request_seq", number)
        assert found["success"], found
        body: dict[str, Any] = found.get("body") or {}
        return body

    def event(self, name: str) -> dict[str, Any]:
        """Wait for an event; return its body."""
        body: dict[str, Any] = self._until("event", "event", name).get("body") or {}
        return body

    def attach(self, file: str, line: int) -> None:
        """Shake hands, set one breakpoint, let the program go on.

        Args:
            file: path of the source, as the program has it.
            line: where to stop.
        """
        self.ask("initialize", clientID="test", adapterID="python", pathFormat="path", linesStartAt1=True)
        attached = self.send("attach", justMyCode=True)
        self.event("initialized")
        set_ = self.ask("setBreakpoints", source={"path": file}, breakpoints=[{"line": line}])
        assert [one["verified"] for one in set_["breakpoints"]] == [True]
        self.ask("configurationDone")
        self.answer(attached)

    def stopped(self) -> tuple[int, int, dict[str, str]]:
        """Wait until it stops; return the thread, the line and the local variables."""
        thread = int(self.event("stopped")["threadId"])
        frame = self.ask("stackTrace", threadId=thread)["stackFrames"][0]
        scopes = self.ask("scopes", frameId=frame["id"])["scopes"]
        local = next(one for one in scopes if one["name"] == "Locals")
        rows = self.ask("variables", variablesReference=local["variablesReference"])["variables"]
        return thread, int(frame["line"]), {row["name"]: row["value"] for row in rows}

    def _until(self, kind: str, key: str, value: object) -> dict[str, Any]:
        for known in self._early:
            if known["type"] == kind and known[key] == value:
                self._early.remove(known)
                return known
        while True:
            found = self._read()
            if found["type"] == kind and found[key] == value:
                return found
            self._early.append(found)

    def _read(self) -> dict[str, Any]:
        length = 0
        while (line := self._file.readline()) != b"\r\n":
            assert line, "debugpy hung up"
            name, _, value = line.decode().partition(":")
            length = int(value) if name == "Content-Length" else length
        message: dict[str, Any] = json.loads(self._file.read(length))
        return message


class PydevdServer:
    """An IDE that listens for pydevd: lines of command, number and text, separated by tabs."""

    VERSION, RUN, SUSPENDED, RESUME, FRAME = 501, 101, 105, 106, 114

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(_SECONDS)
        self.port = int(self._listening.getsockname()[1])

    def accept(self) -> None:
        """Wait for the program to call, and shake hands."""
        self._socket, _ = self._listening.accept()
        self._socket.settimeout(_SECONDS)
        self._file = self._socket.makefile("r", encoding="utf-8", newline="\n")
        self.send(self.VERSION, 1, "1.1", "UNIX", "ID")
        assert self.heard(self.VERSION)
        self.send(self.RUN, 3, "")

    def send(self, command: int, number: int, *texts: str) -> None:
        """Send a command, with a number that an answer has."""
        self._socket.sendall(("\t".join([str(command), str(number), *texts]) + "\n").encode())

    def heard(self, command: int) -> str:
        """Wait for a command; return its text."""
        while line := self._file.readline():
            words = line.rstrip("\n").split("\t", 2)
            if int(words[0]) == command:
                return words[2]
        raise AssertionError(f"pydevd hung up before command {command}")

    def suspended(self) -> tuple[str, str, str, int]:
        """Wait until it stops; return thread, frame, function and line."""
        thread = ET.fromstring(self.heard(self.SUSPENDED)).find("thread")
        assert thread is not None
        frame = thread.find("frame")
        assert frame is not None
        return thread.attrib["id"], frame.attrib["id"], frame.attrib["name"], int(frame.attrib["line"])

    def variables(self, thread: str, frame: str) -> dict[str, str]:
        """Return the local variables of a frame: name, and what it shows of the value."""
        self.send(self.FRAME, 5, thread, frame, "FRAME", "0")
        rows = ET.fromstring(self.heard(self.FRAME)).findall("var")
        return {row.attrib["name"]: re.sub(r"^\w+: ", "", unquote(unquote(row.attrib["value"]))) for row in rows}

    def resume(self, thread: str) -> None:
        """Let a thread go on."""
        self.send(self.RESUME, 7, thread)

    def close(self) -> None:
        """Hang up."""
        if hasattr(self, "_socket"):
            self._file.close()
            self._socket.close()
        self._listening.close()
