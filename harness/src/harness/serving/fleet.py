"""All model servers of a harness: which entity runs where, and their logs."""

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.clock import Clock
from harness.config import Layout
from harness.engines.processes import Lifeline, guest_path
from harness.serving.model import Config, EntityState, ServedEntity
from harness.serving.ports import ModelEnvironments, ModelFiles
from harness.serving.served_process import ServedProcess

START_SECONDS = 1800.0  # a CPU deployment waits 30 minutes: docs, model-serving-timeouts
RETIRE_SECONDS = 60.0
LOG_BYTES = 1 << 20
THREADS = 4  # provisioned concurrency of a Small workload is up to 4


class Fleet:
    """Starts, finds and retires the processes of served entities."""

    def __init__(self, *, clock: Clock, layout: Layout, lifeline: Lifeline, models: ModelFiles, environments: ModelEnvironments) -> None:
        self._clock = clock
        self._layout = layout
        self._lifeline = lifeline
        self._models = models
        self._environments = environments
        self._lock = threading.Lock()
        self._running: dict[str, ServedProcess] = {}
        self._sockets: Path | None = None

    def start(self, config: Config) -> list[ServedProcess]:
        """Start what of `config` does not run yet, and return the processes of all its entities."""
        with self._lock:
            return [self._alive(entity) or self._begin(entity) for entity in config.entities]

    def process(self, entity: ServedEntity) -> ServedProcess | None:
        """Return the entity's process, if there is one."""
        return self._running.get(entity.id)

    def state(self, entity: ServedEntity) -> EntityState:
        """Return how the entity is doing."""
        process = self._running.get(entity.id)
        return EntityState("DEPLOYMENT_CREATING") if process is None else process.state

    def retire(self, entities: Iterable[ServedEntity], seconds: float = RETIRE_SECONDS) -> None:
        """End the processes of `entities`, after the calls inside them."""
        with self._lock:
            processes = [self._running.pop(entity.id, None) for entity in entities]
        for process in processes:
            if process is not None:
                process.retire(seconds)

    def close(self) -> None:
        """End every process. Twice without harm."""
        with self._lock:
            processes = list(self._running.values())
            self._running.clear()
        for process in processes:
            process.retire(0.0)
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None

    def log_file(self, entity: ServedEntity, kind: str = "log") -> Path:
        """Return where the entity's `log` or `build.log` is."""
        return self._layout.logs / "serving" / f"{entity.id}.{kind}"

    def log_text(self, entity: ServedEntity, kind: str = "log") -> str:
        """Return the end of that file."""
        path = self.log_file(entity, kind)
        return path.read_bytes()[-LOG_BYTES:].decode(errors="replace") if path.exists() else ""

    def _alive(self, entity: ServedEntity) -> ServedProcess | None:
        process = self._running.get(entity.id)
        return process if process is not None and (process.ready or process.settling) else None

    def _begin(self, entity: ServedEntity) -> ServedProcess:
        if self._sockets is None:
            self._sockets = Path(tempfile.mkdtemp(prefix="served-"))
        process = ServedProcess(
            entity.name,
            spawn=lambda socket: self._spawn(entity, socket),
            sockets=self._sockets,
            clock=self._clock,
            start_seconds=START_SECONDS,
        )
        self._running[entity.id] = process
        process.start()
        return process

    def _spawn(self, entity: ServedEntity, socket: Path) -> subprocess.Popen[bytes]:
        folder = self._models.model_files(entity.entity_name, entity.entity_version)
        interpreter = self._environments.for_model(folder)
        build_log = self.log_file(entity, "build.log")
        build_log.parent.mkdir(parents=True, exist_ok=True)
        build_log.write_text(f"model {entity.entity_name} version {entity.entity_version}\nenvironment {interpreter.python}\n")
        command = [interpreter.python, "-m", "harness_guest.model_server", "--model", str(folder), "--socket", str(socket)]
        variables: Mapping[str, str] = {
            **entity.environment_vars,
            "PYTHONPATH": guest_path(*interpreter.pythonpath),
            "PYTHONUNBUFFERED": "1",
        }
        return self._lifeline.spawn([*command, "--threads", str(THREADS)], log=self.log_file(entity), environment=variables)
