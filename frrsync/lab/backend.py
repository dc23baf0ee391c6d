"""``python -m frrsync.lab.backend``: an HTTP server that answers every request with one line, its name."""

from __future__ import annotations

import argparse
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 8080


class _Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 128

    def server_bind(self) -> None:
        """Listen on every address of both families."""
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # connections of a backend that was killed keep the port for a minute (TIME_WAIT)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)  # without HTTPServer's reverse lookup: there is no resolver


def serve(name: str, port: int = PORT) -> None:
    """Answer until killed."""
    body = f"{name}\n".encode()

    class Handler(BaseHTTPRequestHandler):
        """Answer with the name and close, so that every request is a new connection."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Stay silent: thousands of requests are nobody's reading."""

    server = _Server(("::", port), Handler)
    sys.stdout.write(f"{name} listens on port {port}\n")
    sys.stdout.flush()
    server.serve_forever()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m frrsync.lab.backend", description=__doc__)
    parser.add_argument("--name", required=True, help="what to answer")
    parser.add_argument("--port", type=int, default=PORT, help="where to listen (%(default)s)")
    given = parser.parse_args()
    serve(given.name, given.port)


if __name__ == "__main__":
    main()
