"""A server of key sets on this machine that can also be slow, wrong or endless."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.trust.keys import ec_key, key_set, public


class KeyServer:
    """Answers every GET with `answer`; counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.status, self.headers, self.body = 200, dict[str, str](), key_set(public(ec_key())).encode()
        self.pause_s, self.drip_s = 0.0, 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked += 1
                time.sleep(outer.pause_s)
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for start in range(0, len(outer.body), 10 if outer.drip_s else 1 << 20):
                        self.wfile.write(outer.body[start : start + (10 if outer.drip_s else 1 << 20)])
                        time.sleep(outer.drip_s)
                except OSError:
                    return  # the client has had enough

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}/jwks.json"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
