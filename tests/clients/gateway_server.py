"""An HTTP server that prints its port and then each request as one line of JSON, read with Python's own parsers."""

import argparse
import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

parser = argparse.ArgumentParser()
parser.add_argument("--certificate")
parser.add_argument("--key")
parser.add_argument("--status", type=int, default=200)
parser.add_argument("--length", type=int, default=2, help="of the answer's body")
parser.add_argument("--withheld", type=int, default=0, help="bytes of it that never come")
options = parser.parse_args()


def say(what):
    print(json.dumps(what), flush=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        url = urlsplit(self.path)
        kind = self.headers.get("Content-Type")
        say(
            {
                "method": self.command,
                "path": url.path,
                "query": parse_qsl(url.query, keep_blank_values=True),
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": body,
                "json": json.loads(body) if kind == "application/json" else None,
                "form": parse_qsl(body, keep_blank_values=True) if kind and "urlencoded" in kind else None,
            }
        )
        self.send_response(options.status)
        self.send_header("Content-Length", str(options.length))
        if 300 <= options.status < 400:
            self.send_header("Location", self.path)
        self.end_headers()
        self.wfile.write(b"." * (options.length - options.withheld))

    do_GET = do_POST = do_PUT = answer

    def log_message(self, format, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if options.certificate:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.certificate, options.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
say({"port": server.server_port})
server.serve_forever()
