"""An HTTP server with the three routes that deployment.yml names. Replace `answer` with your model."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 8080


def answer(request: dict[str, str]) -> dict[str, int]:
    """`{"text": "..."}` -> the number of words."""
    return {"words": len(request["text"].split())}


class Handler(BaseHTTPRequestHandler):
    """Answers /live and /ready with 200, and /score with the answer as JSON."""

    def do_GET(self) -> None:
        """The liveness and the readiness probe of Azure ML."""
        self.reply(200 if self.path in ("/live", "/ready") else 404, {})

    def do_POST(self) -> None:
        """A scoring request."""
        if self.path != "/score":
            return self.reply(404, {})
        try:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            return self.reply(200, answer(request))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return self.reply(400, {"error": f"the body must be JSON with a text ({error})"})

    def reply(self, status: int, body: dict[str, object]) -> None:
        """Send a JSON document."""
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
