"""The process of one served model: loads it, listens on a Unix socket, scores what arrives, ends with the harness.

`python -m harness_guest.model_server --model FOLDER --socket PATH [--threads N]`. It listens before it loads, so that whoever connects
and sends a probe is answered at the moment the model can score, or is told why it cannot.
"""

import argparse
import gc
import logging
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from queue import SimpleQueue
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import Protocol

from harness_guest import lifeline
from harness_guest.model_frames import PROBE, Answer, Request, packed, requests

HEALTHY = Answer(200, "application/json", b"\n")  # what /ping of MLflow's scoring server says


class Scores(Protocol):
    """Whatever answers a body."""

    def answer(self, content_type: str | None, body: bytes) -> Answer:
        """Return the answer to `body`."""
        ...


class Connection:
    """One client of this process; answers may be sent from any thread."""

    def __init__(self, connection: socket) -> None:
        self._socket = connection
        self._lock = threading.Lock()

    def requests(self, work: "SimpleQueue[tuple[Connection, Request]]") -> None:
        """Queue what arrives until the client is gone; answer probes at once."""
        try:
            for request in requests(self._socket):
                if request.kind == PROBE:
                    self.send(request, HEALTHY)
                else:
                    work.put((self, request))
        except ConnectionError:
            return  # the client went away in the middle of a frame

    def send(self, request: Request, answer: Answer) -> None:
        """Send `answer`; a client that is gone gets nothing."""
        try:
            with self._lock:
                self._socket.sendall(packed(request.id, answer))
        except ConnectionError:
            return


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the harness ends this process."""
    lifeline.follow()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    parser = argparse.ArgumentParser(prog="model_server")
    parser.add_argument("--model", required=True)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    listener = socket(AF_UNIX, SOCK_STREAM)
    listener.bind(options.socket)
    listener.listen()
    try:
        scorer = _load(options.model)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a model's loading code can raise anything; it is told, and this process ends
        traceback.print_exc()
        _refuse(listener, f"An error occurred while loading the model. {error}.")
        sys.exit(1)
    print("model loaded", flush=True)  # noqa: T201 - this line is in the served model's logs
    serve(listener, scorer, options.threads)


def serve(listener: socket, scorer: Scores, threads: int) -> None:
    """Answer every client of `listener`, scoring in `threads` threads."""
    work: SimpleQueue[tuple[Connection, Request]] = SimpleQueue()
    for number in range(threads):
        threading.Thread(target=_score, args=(work, scorer), name=f"score-{number}", daemon=True).start()
    while True:
        connection = Connection(listener.accept()[0])
        threading.Thread(target=connection.requests, args=(work,), name="client", daemon=True).start()


def _load(folder: str) -> Scores:
    from harness_guest.model_scoring import Scorer

    scorer = Scorer(folder)
    gc.collect()
    gc.freeze()  # hundreds of thousands of objects of imported modules: a full collection over them costs 0.1 s in the middle of a request
    return scorer


def _score(work: "SimpleQueue[tuple[Connection, Request]]", scorer: Scores) -> None:
    while True:
        connection, request = work.get()
        try:
            answer = scorer.answer(request.content_type, request.body)
        except BaseException:  # noqa: BLE001 - a model that calls sys.exit() ends its server, as it does on the platform
            traceback.print_exc()
            os._exit(70)
        connection.send(request, answer)


def _refuse(listener: socket, message: str) -> None:
    listener.settimeout(10)
    try:
        client, _ = listener.accept()
    except TimeoutError:
        return
    with client:
        for request in requests(client):
            client.sendall(packed(request.id, Answer(500, "text/plain", message.encode())))
            return


if __name__ == "__main__":
    main()
