"""The process of one served model: loads it, listens on a Unix socket, scores what arrives, ends with the harness.

`python -m harness_guest.model_server --model FOLDER --socket PATH [--threads N]`. It listens before it loads, so that whoever connects
and sends a probe is answered at the moment the model can score, or is told why it cannot.
"""

import argparse
import gc
import json
import logging
import os
import selectors
import sys
import threading
import traceback
from collections.abc import Sequence
from queue import SimpleQueue
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import Never, Protocol

from harness_guest import lifeline
from harness_guest.model_frames import DESCRIBE, PROBE, Answer, Request, Requests, packed

HEALTHY = Answer(200, "application/json", b"\n")  # what /ping of MLflow's scoring server says
RECEIVE_BYTES = 1 << 20
_PLAIN = frozenset({"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"})


class Scores(Protocol):
    """Whatever answers bodies."""

    why: str

    def answer(self, content_type: str | None, body: bytes) -> Answer:
        """Return the answer to `body`."""
        ...

    def fast_answers(self, bodies: Sequence[bytes]) -> Sequence[Answer | None]:
        """Return the answers to those JSON bodies that can be answered in no time, None for the others."""
        ...


class Connection:
    """One client of this process; answers may be sent from any thread."""

    def __init__(self, client: socket) -> None:
        self.client = client
        self._requests = Requests()
        self._lock = threading.Lock()

    def received(self) -> list[Request] | None:
        """Return the requests that have arrived whole; None when the client is gone."""
        try:
            data = self.client.recv(RECEIVE_BYTES)
        except ConnectionError:
            return None
        return self._requests.fed(data) if data else None

    def send(self, frames: bytes) -> None:
        """Send frames; a client that is gone gets nothing."""
        try:
            with self._lock:
                self.client.sendall(frames)
        except ConnectionError:
            return


Work = SimpleQueue[tuple[Connection, Request]]


class Server:
    """Answers what arrives: at once, all together, what the fast path can; the rest in threads."""

    def __init__(self, listener: socket, scorer: Scores, threads: int) -> None:
        self._listener = listener
        self._scorer = scorer
        self._description = Answer(200, "application/json", json.dumps({"scoring": scorer.why, "threads": threads}).encode())
        self._work: Work = SimpleQueue()
        for number in range(threads):
            threading.Thread(target=self._score, name=f"score-{number}", daemon=True).start()

    def serve(self) -> None:
        """Answer every client, until this process ends."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    connection = key.data
                    if connection is None:
                        client, _ = self._listener.accept()
                        selector.register(client, selectors.EVENT_READ, Connection(client))
                        continue
                    requests = connection.received()
                    if requests is None:
                        selector.unregister(connection.client)
                        connection.client.close()
                    elif requests:
                        self._take(connection, requests)

    def _take(self, connection: Connection, requests: Sequence[Request]) -> None:
        plain = [request for request in requests if request.content_type in _PLAIN]
        fast = dict(zip([request.id for request in plain], _answered(self._scorer, plain), strict=True)) if plain else {}
        frames = []
        for request in requests:
            answer = self._control(request) or fast.get(request.id)
            if answer is None:
                self._work.put((connection, request))
            else:
                frames.append(packed(request.id, answer))
        if frames:
            connection.send(b"".join(frames))

    def _control(self, request: Request) -> Answer | None:
        if request.kind == PROBE:
            return HEALTHY
        return self._description if request.kind == DESCRIBE else None

    def _score(self) -> None:
        while True:
            connection, request = self._work.get()
            try:
                answer = self._scorer.answer(request.content_type, request.body)
            except BaseException:  # noqa: BLE001 - a model that calls sys.exit() ends its server, as it does on the platform
                _leave()
            connection.send(packed(request.id, answer))


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
    _let_requests_gather()
    Server(listener, scorer, options.threads).serve()


def _load(folder: str) -> Scores:
    from harness_guest.model_scoring import Scorer

    scorer = Scorer(folder)
    gc.collect()
    gc.freeze()  # hundreds of thousands of objects of imported modules: a full collection over them costs 0.1 s in the middle of a request
    return scorer


def _let_requests_gather() -> None:
    """Not interrupt the harness at the first of many requests: it goes on reading what has come, and more are computed together."""
    if hasattr(os, "SCHED_BATCH"):  # Linux
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _answered(scorer: Scores, requests: Sequence[Request]) -> Sequence[Answer | None]:
    try:
        return scorer.fast_answers([request.body for request in requests])
    except BaseException:  # noqa: BLE001 - the fast path has no errors of its own; one here must not leave callers waiting
        _leave()


def _leave() -> Never:
    traceback.print_exc()
    os._exit(70)


def _refuse(listener: socket, message: str) -> None:
    """Tell the first client why there is no model, and return."""
    listener.settimeout(10)
    try:
        client, _ = listener.accept()
    except TimeoutError:
        return
    with client:
        connection = Connection(client)
        while (requests := connection.received()) == []:
            pass
        for request in requests or ():
            connection.send(packed(request.id, Answer(500, "text/plain", message.encode())))


if __name__ == "__main__":
    main()
