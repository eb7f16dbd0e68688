"""What governs the lives of model servers: how long they may start, idle, grow."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# docs, model-serving-limits: memory per worker
_MEMORY_BYTES = {"CPU": 4 << 30, "CPU_MEDIUM": 8 << 30, "CPU_LARGE": 16 << 30}


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """Times in seconds, sizes in bytes."""

    start_seconds: float = 1800.0
    """How long a model may load: a CPU deployment waits 30 minutes (docs, model-serving-timeouts)."""
    retire_seconds: float = 60.0
    """How long calls may go on in a process whose entity was removed."""
    drain_seconds: float = 600.0
    """How long calls may go on in a process that was replaced because one of its calls hung; a little more than a call may take."""
    idle_seconds: float | None = 1800.0
    """After how long without a call an entity with `scale_to_zero_enabled` has no process (docs: 30 minutes); None: never."""
    cold_start_seconds: float = 0.0
    """What waking up takes longer than it needs to; on the platform usually 10 to 20 s."""
    look_seconds: float = 0.5
    """How often memory, log and idleness are looked at."""
    log_bytes: int = 4 << 20
    """What is kept of the output of a served entity, about; the newest is kept."""
    memory_bytes: Mapping[str, int] = field(default_factory=lambda: dict(_MEMORY_BYTES))
    """What a model server may use, by workload type; one that is not named here may use everything."""
