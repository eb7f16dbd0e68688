"""All model servers of a harness: which entity runs where, and their logs."""

import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from harness.clock import Clock
from harness.config import Layout
from harness.engines.children import Child, FreshChild
from harness.engines.processes import Lifeline, guest_path
from harness.engines.warm_parent import WarmParents
from harness.errors import UserError
from harness.serving.metrics import Usage
from harness.serving.model import Config, EntityState, ServedEntity
from harness.serving.ports import ModelEnvironments, ModelFiles, ModelInterpreter, Secrets
from harness.serving.process_settings import ProcessSettings
from harness.serving.rules import concurrency
from harness.serving.served_process import ServedProcess
from harness.serving.upkeep import Upkeep, bound, tail
from harness.serving.usage import UsageMeter
from harness.serving.variables import resolved

log = logging.getLogger(__name__)
LOG_BYTES = 1 << 20
# Variables that are read when a library is loaded, and so come too late for a process that is forked with the libraries in it.
_READ_EARLY = ("PYTHON", "LD_", "MALLOC_", "OMP_", "OPENBLAS_", "MKL_", "BLIS_", "NUMEXPR_", "KMP_", "GOTO_", "MLFLOW_", "SKLEARN_", "NPY_")


class Fleet:
    """Starts, finds and retires the processes of served entities."""

    def __init__(
        self,
        *,
        clock: Clock,
        layout: Layout,
        lifeline: Lifeline,
        models: ModelFiles,
        environments: ModelEnvironments,
        secrets: Secrets,
        parents: WarmParents | None = None,
        settings: ProcessSettings | None = None,
    ) -> None:
        """Without `parents` every process starts with an interpreter of its own."""
        self._clock = clock
        self._layout = layout
        self._lifeline = lifeline
        self._models = models
        self._environments = environments
        self._secrets = secrets
        self._parents = parents
        self._settings = settings or ProcessSettings()
        self._upkeep = Upkeep(self._look, self._settings.look_seconds)
        self._meter = UsageMeter()
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

    def description(self, entity: ServedEntity) -> Mapping[str, object]:
        """Return what the entity's model server says of itself; nothing when it does not run."""
        process = self._running.get(entity.id)
        return {} if process is None else process.description()

    def usage(self, entity: ServedEntity) -> Usage | None:
        """Return how much of the machine the entity's process uses, of its memory what its workload type has; None when none runs."""
        process = self._running.get(entity.id)
        memory, pid = self._memory(entity), process.pid if process is not None else None
        return self._meter.usage(pid, memory) if pid is not None and memory is not None else None

    def wake(self, entity: ServedEntity) -> None:
        """Begin to start the entity's process if it is scaled to zero; returns at once, fit for an event loop."""
        process = self._running.get(entity.id)
        if process is not None:
            process.wake()

    def retire(self, entities: Iterable[ServedEntity]) -> None:
        """End the processes of `entities`, after the calls inside them."""
        with self._lock:
            processes = [self._running.pop(entity.id, None) for entity in entities]
        _retire([process for process in processes if process is not None], self._settings.retire_seconds)

    def forget(self, entities: Iterable[ServedEntity]) -> None:
        """Remove what retired entities printed."""
        for entity in entities:
            for kind in ("log", "build.log"):
                self.log_file(entity, kind).unlink(missing_ok=True)

    def close(self) -> None:
        """End every process. Twice without harm."""
        self._upkeep.close()
        with self._lock:
            processes = list(self._running.values())
            self._running.clear()
        _retire(processes, 0.0)
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None

    def log_file(self, entity: ServedEntity, kind: str = "log") -> Path:
        """Return where the entity's `log` or `build.log` is."""
        return self._file(entity.id, kind)

    def log_text(self, entity: ServedEntity, kind: str = "log") -> str:
        """Return the end of that file."""
        return tail(self.log_file(entity, kind), LOG_BYTES)

    def _file(self, id_: str, kind: str) -> Path:
        return self._layout.logs / "serving" / f"{id_}.{kind}"

    def _alive(self, entity: ServedEntity) -> ServedProcess | None:
        process = self._running.get(entity.id)
        if process is None or not (process.ready or process.settling):
            return None
        process.scale_to_zero, process.memory_bytes = entity.scale_to_zero_enabled, self._memory(entity)  # an update may change them
        return process

    def _begin(self, entity: ServedEntity) -> ServedProcess:
        if self._sockets is None:
            self._sockets = Path(tempfile.mkdtemp(prefix="served-"))
        process = ServedProcess(
            entity.name,
            spawn=lambda socket: self._spawn(entity, socket),
            sockets=self._sockets,
            clock=self._clock,
            settings=self._settings,
            scale_to_zero=entity.scale_to_zero_enabled,
            memory_bytes=self._memory(entity),
        )
        self._running[entity.id] = process
        process.start()
        self._upkeep.start()
        return process

    def _memory(self, entity: ServedEntity) -> int | None:
        return self._settings.memory_bytes.get(entity.workload_type)

    def _look(self) -> None:
        for id_, process in list(self._running.items()):
            process.look()
            bound(self._file(id_, "log"), self._settings.log_bytes)

    def _spawn(self, entity: ServedEntity, socket: Path) -> Child:
        entity = msgspec.structs.replace(entity, environment_vars=resolved(entity.environment_vars, self._secrets))
        folder = self._models.model_files(entity.entity_name, entity.entity_version)
        interpreter = self._environments.for_model(folder)
        build_log = self.log_file(entity, "build.log")
        build_log.parent.mkdir(parents=True, exist_ok=True)
        build_log.write_text(f"model {entity.entity_name} version {entity.entity_version}\nenvironment {interpreter.python}\n")
        arguments = ["--model", str(folder), "--socket", str(socket), "--threads", str(concurrency(entity))]
        return self._forked(entity, interpreter, arguments) or self._fresh(entity, interpreter, arguments)

    def _forked(self, entity: ServedEntity, interpreter: ModelInterpreter, arguments: Sequence[str]) -> Child | None:
        """Return a process forked from a warm parent, None where that is not the same as a fresh one, or there is no parent."""
        if self._parents is None or interpreter.replaces or any(name.startswith(_READ_EARLY) for name in entity.environment_vars):
            return None
        environment = {**os.environ, **_variables(entity, interpreter)}
        function, file = "harness_guest.model_server:main", self.log_file(entity)
        try:
            python, path = Path(interpreter.python), interpreter.pythonpath
            return self._parents.call(python, function, arguments, log=file, environment=environment, path=path)
        except UserError as error:
            log.warning("served entity %s starts without a warm parent: %s", entity.name, error)
            return None

    def _fresh(self, entity: ServedEntity, interpreter: ModelInterpreter, arguments: Sequence[str]) -> Child:
        command = [interpreter.python, "-m", "harness_guest.model_server", *arguments]
        return FreshChild(self._lifeline.spawn(command, log=self.log_file(entity), environment=_variables(entity, interpreter)))


def _variables(entity: ServedEntity, interpreter: ModelInterpreter) -> dict[str, str]:
    return {
        "PYTHONFAULTHANDLER": "1",  # a segmentation fault leaves its stack in the log
        **entity.environment_vars,
        "PYTHONPATH": guest_path(*interpreter.pythonpath),
        "PYTHONUNBUFFERED": "1",
    }


def _retire(processes: Sequence[ServedProcess], seconds: float) -> None:
    """Retire them side by side."""
    threads = [threading.Thread(target=process.retire, args=(seconds,), name=f"retire-{process.name}") for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
