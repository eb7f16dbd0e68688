"""What runs/submit asks for, as the settings of a job that is run once. Pure."""

from collections.abc import Mapping

from harness.jobs.settings import Json, invalid, not_emulated

_OTHERS = ("schedule", "trigger", "continuous", "parameters", "max_concurrent_runs", "job_clusters")


def one_time(body: Mapping[str, object]) -> tuple[Json, str]:
    """Return the settings and the idempotency token in the body of runs/submit; a 400 for what only a job can have."""
    for name in _OTHERS:
        if body.get(name) is not None:
            raise invalid(f"'{name}' belongs to a job, not to a one-time run")
    for name in ("existing_cluster_id", "new_cluster", "libraries"):
        if body.get(name) is not None:
            raise not_emulated(f"runs/submit with '{name}' (supported: 'tasks' on serverless compute, by 'environment_key'). It")
    token = body.get("idempotency_token") or ""
    if not isinstance(token, str):
        raise invalid(f"idempotency_token must be text; got {token!r}")
    kept = {name: value for name, value in body.items() if name not in ("run_name", "idempotency_token")}
    # docs.databricks.com/api/workspace/jobs/submit, run_name: "Untitled" when there is none
    return {"name": body.get("run_name") or "Untitled", **kept}, token
