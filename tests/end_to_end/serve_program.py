"""A container's ``serve``, for endpoints as processes: SageMaker's HTTP contract, one model or many, and told mishaps.

What it is sent decides what it does: ``sleep 3``, ``status 400``, ``exit``, ``forget``, ``tear`` (half an answer); all
else comes back with what it was seen with. SERVE_* variables change how it begins and how many models fit.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import threading
import time
from pathlib import Path

ML = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
LOADED: dict[str, Path] = {}
LOCK = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/ping":
            self.answer(int(os.environ.get("SERVE_PING", "200")))
        else:
            name = self.path.rpartition("/")[2]
            self.answer(200 if name in LOADED else 404)

    def do_DELETE(self) -> None:
        with LOCK:
            gone = LOADED.pop(self.path.rpartition("/")[2], None)
        print(f"unloaded {gone}", flush=True)
        self.answer(200 if gone else 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/models":
            self.load(json.loads(body))
            return
        model = ML / "model"
        if self.path.startswith("/models/"):
            found = LOADED.get(self.path.split("/")[2])
            if found is None:
                self.answer(404, b"no such model")
                return
            model = found
        word, _, number = body.decode(errors="replace").partition(" ")
        if word == "exit":
            os._exit(3)
        if word == "forget":
            # As a server does that has found better use for its memory; the one who asks is answered.
            LOADED.clear()
        if word == "sleep":
            time.sleep(float(number))
        if word == "tear":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
            return
        if word == "status":
            self.answer(int(number), b"as you wish")
            return
        files = {str(path.relative_to(model)): path.read_text() for path in model.rglob("*") if path.is_file()}
        seen = {"body": body.decode(errors="replace"), "files": files, "pid": os.getpid()}
        seen |= {"headers": dict(self.headers), "environment": dict(os.environ)}
        self.answer(200, json.dumps(seen).encode())

    def load(self, wanted: dict[str, str]) -> None:
        time.sleep(float(os.environ.get("SERVE_LOAD_SECONDS", "0")))
        with LOCK:
            if wanted["model_name"] in LOADED:
                self.answer(409)
            elif len(LOADED) >= int(os.environ.get("SERVE_ROOM", "100")):
                self.answer(507)
            else:
                LOADED[wanted["model_name"]] = Path(wanted["url"])
                print(f"loaded {wanted['url']}", flush=True)
                self.answer(200)

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name in ("Custom-Attributes", "New-Session-Id"):
            if f"X-Amzn-SageMaker-{name}" in self.headers:
                self.send_header(f"X-Amzn-SageMaker-{name}", self.headers[f"X-Amzn-SageMaker-{name}"])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Keep quiet."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    # As a container's first process it would get no signal that it has no handler for.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print("serving", flush=True)
    time.sleep(float(os.environ.get("SERVE_START_SECONDS", "0")))
    # A container is reached from outside of it, a process here by nobody else.
    host = "127.0.0.1" if "SAGEMAKER_BASE_DIR" in os.environ else "0.0.0.0"
    Server((host, int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))), Handler).serve_forever()
