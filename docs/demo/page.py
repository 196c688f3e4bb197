"""A page on a node, for the demo: served on a Unix socket until its standard input ends."""

from __future__ import annotations

import http.server
import os
import socketserver
import sys
import threading


class Page(http.server.BaseHTTPRequestHandler):
    """Greets with the job's name, which only the node knows."""

    def do_GET(self) -> None:
        """Answer any path."""
        body = f"hello from {os.environ['TRAINING_JOB_NAME']}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        """A Unix socket's peer has no address."""
        return "forwarded"

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


with socketserver.ThreadingUnixStreamServer(sys.argv[1], Page) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    server.shutdown()
