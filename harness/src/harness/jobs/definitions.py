"""Jobs as they are defined: made, changed, shown."""

import logging
from collections.abc import Callable, Mapping, Sequence

import msgspec

from harness.clock import Clock, millis
from harness.ids import Ids
from harness.jobs import view
from harness.jobs.model import Job, Settings
from harness.jobs.settings import Json, invalid, merged, parse
from harness.jobs.trigger_checks import check, live, told
from harness.state import Documents, Store

log = logging.getLogger(__name__)


class Definitions:
    """The jobs of a workspace by id, their settings exactly as they were sent."""

    def __init__(self, *, clock: Clock, ids: Ids, store: Store) -> None:
        self._clock = clock
        self._ids = ids
        self._jobs = Documents(store, "job", Job)
        self.version = 0
        """Rises with every change."""

    def create(self, raw: Mapping[str, object], user: str) -> int:
        """Keep a new job and return its id."""
        settings = self._checked(raw)
        job = Job(self._ids.number(), user, millis(self._clock.now()), encoded(raw))
        self._put(job)
        log.info("job %d created: %s", job.job_id, settings.name)
        return job.job_id

    def reset(self, job_id: int, raw: Mapping[str, object]) -> None:
        """Replace all settings of a job. Runs under way keep those they were started with."""
        self._checked(raw)
        with self._jobs.transaction():
            self._put(msgspec.structs.replace(self.job(job_id), settings=encoded(raw)))

    def update(self, job_id: int, changes: Mapping[str, object], removed: Sequence[str]) -> None:
        """Change some settings of a job."""
        with self._jobs.transaction():
            job = self.job(job_id)
            raw = merged(decoded(job.settings), changes, removed)
            self._checked(raw)
            self._put(msgspec.structs.replace(job, settings=encoded(raw)))

    def delete(self, job_id: int) -> None:
        """Remove a job; its runs stay. Assumption: runs under way go on."""
        with self._jobs.transaction():
            self.job(job_id)
            self._jobs.delete(_key(job_id))
            self.version += 1

    def get(self, job_id: int, page_token: str = "") -> Json:
        """Return the job, its settings exactly as they were sent."""
        return view.job(self.job(job_id), page_token)

    def list(
        self,
        *,
        name: str | None = None,
        limit: int = 20,
        page_token: str = "",
        expand_tasks: bool = False,
        shows: Callable[[str], bool] = lambda _: True,
    ) -> Json:
        """Return a page of jobs, latest first; `name` is compared without case, `shows` is asked for each creator."""
        jobs = sorted((job for job in self.all() if shows(job.creator)), key=lambda job: (job.created_time, job.job_id), reverse=True)
        if name is not None:
            jobs = [job for job in jobs if view.name(job).lower() == name.lower()]
        return view.job_page(jobs, limit=limit, page_token=page_token, expand_tasks=expand_tasks)

    def all(self) -> Sequence[Job]:
        """Return every job."""
        return self._jobs.list()

    def job(self, job_id: int) -> Job:
        """Return the job, or raise the platform's 400."""
        job = self._jobs.get(_key(job_id))
        if job is None:
            raise invalid(f"Job {job_id} does not exist.")  # as for runs (runs.py)
        return job

    def parameters(self, job_id: int) -> Sequence[str]:
        """Return the names of a job's parameters; none when there is no such job."""
        job = self._jobs.get(_key(job_id))
        return () if job is None else [parameter.name for parameter in parse(decoded(job.settings)).parameters]

    def _checked(self, raw: Mapping[str, object]) -> Settings:
        settings = parse(raw)
        check(settings, raw, self._clock.now())
        by = live(settings)
        if by is not None:
            log.warning(
                "job '%s' will start by itself while the harness is up: %s; pause_status PAUSED stops that", settings.name, told(by)
            )
        return settings

    def _put(self, job: Job) -> None:
        self._jobs.put(_key(job.job_id), job)
        self.version += 1


def encoded(raw: Mapping[str, object]) -> msgspec.Raw:
    """Return settings as they are stored."""
    return msgspec.Raw(msgspec.json.encode(raw))


def decoded(settings: msgspec.Raw) -> Json:
    """Return stored settings as they were sent."""
    return msgspec.json.decode(settings, type=dict[str, object])


def _key(number: int) -> str:
    return f"{number:020d}"
