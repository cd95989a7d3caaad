"""Serve the demo in this file's folder at http://127.0.0.1:8000 until Ctrl-C: python3 serve.py [PORT]

Any Python from 3.7 on; nothing else is needed. Any other server of files does as well, but the network runs on one
thread there unless it sends the two headers with which browsers allow several. A PORT of 0 takes a free one.
"""

import functools
import http.server
import os
import sys
from typing import Any, List, Optional

_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}

FOLDER = os.path.dirname(os.path.abspath(__file__))


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, with the headers and types that the page wants."""

    def guess_type(self, path: Any) -> str:
        """The type of a file; that of scripts and WebAssembly must be told, and not all versions of Python know it."""
        end = os.path.splitext(str(path))[1]
        return _TYPES.get(end) or super().guess_type(path)

    def end_headers(self) -> None:
        """The headers of every answer."""
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        # What was made again is not taken from the browser's memory without a question.
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing but errors is worth a line."""
        if args[1:2] and str(args[1]) >= "400":
            super().log_message(format, *args)


def main(words: Optional[List[str]] = None) -> int:
    """Serve until Ctrl-C. Returns the exit status."""
    words = sys.argv[1:] if words is None else words
    if len(words) > 1 or not all(word.isdigit() and int(word) < 65536 for word in words):
        print("serve.py: error: expected one number of a port, or nothing", file=sys.stderr)
        return 2
    handler = functools.partial(Handler, directory=FOLDER)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", int(words[0]) if words else 8000), handler)
    except OSError as error:
        print("serve.py: error: port {}: {}".format(words[0] if words else 8000, error.strerror), file=sys.stderr)
        return 1
    with server:
        print("http://127.0.0.1:{}/ until Ctrl-C".format(server.server_address[1]), flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
