"""The three AWS calls that boot makes, on a loopback port, with the answers a test sets."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CODE = "SeCrEtAcTiVaTiOnCoDe"
IDENTITY = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:sts::123456789012:assumed-role/JobRole/SageMaker</Arn><UserId>AROAEXAMPLE:SageMaker</UserId>
<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""


class FakeSsm:
    """Answers CreateActivation, DeregisterManagedInstance and GetCallerIdentity; keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        # Answers to the next calls of an operation: (status, error code, message). When used up, it succeeds.
        self.failures: dict[str, list[tuple[int, str, str]]] = {}
        # CreateActivation is answered once this is set.
        self.ready = threading.Event()
        self.ready.set()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                target = self.headers.get("X-Amz-Target", "")
                status, kind, answer = fake.answer(target.partition(".")[2], body)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 # the base class names it so
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def answer(self, operation: str, body: bytes) -> tuple[int, str, bytes]:
        if not operation:
            self.calls.append(("GetCallerIdentity", {}))
            return 200, "text/xml", IDENTITY.encode()
        self.calls.append((operation, json.loads(body)))
        kind = "application/x-amz-json-1.1"
        failures = self.failures.get(operation, [])
        if failures:
            status, code, message = failures.pop(0)
            return status, kind, json.dumps({"__type": code, "message": message}).encode()
        if operation == "CreateActivation":
            self.ready.wait()
            made = {"ActivationId": "11111111-2222-3333-4444-555555555555", "ActivationCode": CODE}
            return 200, kind, json.dumps(made).encode()
        return 200, kind, b"{}"

    def asked(self, operation: str) -> list[dict[str, Any]]:
        return [request for name, request in self.calls if name == operation]

    def stop(self) -> None:
        self.ready.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
