"""Opening a link that holds a token: the browser's command line, which others can read, holds another one.

It points to a server of ours on loopback that redirects once to the real link and is gone.
"""

from __future__ import annotations

import http.server
import secrets
import threading
import webbrowser

_PATIENCE = 60.0


def show(link: str) -> bool:
    """Open a link in the user's browser; return whether there was one to try.

    Args:
        link: may hold a secret.
    """
    path = "/" + secrets.token_urlsafe(24)
    done = threading.Event()

    class Once(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = secrets.compare_digest(self.path, path) and not done.is_set()
            self.send_response(302 if known else 404)
            if known:
                done.set()
                self.send_header("Location", link)
                self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Log nothing: the path is a secret too."""
            del args

    server = http.server.HTTPServer(("127.0.0.1", 0), Once)
    server.timeout = 1.0

    def serve() -> None:
        waited = 0.0
        while not done.is_set() and waited < _PATIENCE:
            server.handle_request()
            waited += 1.0
        server.server_close()

    threading.Thread(target=serve, name="redirect", daemon=True).start()
    opened = webbrowser.open(f"http://127.0.0.1:{server.server_port}{path}")
    if not opened:
        done.set()
    return opened
