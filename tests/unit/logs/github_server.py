"""A server on this machine that speaks as much of GitHub's REST API as a run's logs take."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, Mapping[str, str], bytes]


@dataclass
class Server:
    """What it answers, and what it was asked.

    Attributes:
        url: Where it answers.
        other_url: Another origin of the same server, for redirects.
        replies: By path; a list is answered one after the other, its last again and again.
        asked: Path and headers of each request.
    """

    url: str
    other_url: str
    replies: dict[str, list[Reply] | Reply] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def json(self, path: str, data: object, *, status: int = 200, **headers: str) -> None:
        """Answers a path with JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.replies[path] = (status, named, json.dumps(data).encode())

    def reply(self, path: str) -> Reply:
        """Returns the answer to a path."""
        found = self.replies.get(path, (404, {}, b'{"message": "Not Found"}'))
        if isinstance(found, list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found


@contextmanager
def github_server() -> Iterator[Server]:
    """Runs one on two ports of this machine, as an API and its storage are two hosts."""
    servers: list[ThreadingHTTPServer] = []
    holder: list[Server] = []
    handler = _handler(lambda: holder[0])
    try:
        for _ in range(2):
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
            servers.append(server)
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        urls = [f"http://127.0.0.1:{server.server_address[1]}" for server in servers]
        holder.append(Server(url=urls[0], other_url=urls[1]))
        yield holder[0]
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _handler(server_of: Callable[[], Server]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server = server_of()
            server.asked.append((self.path, dict(self.headers)))
            status, headers, body = server.reply(self.path)
            if status == 0:  # hangs up without a word
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
