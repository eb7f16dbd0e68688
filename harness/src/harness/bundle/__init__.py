"""`databricks.yml` resolved, deployed and run: pure up to `Bundle`, then through the official client."""

from harness.bundle.deploy import Deployment, deploy, destroy, foreseen
from harness.bundle.deployed import Deployed
from harness.bundle.deployed import load as load_deployed
from harness.bundle.files import find_bundle, read_sources
from harness.bundle.model import Bundle, Choice, Identity, Resource, Source
from harness.bundle.outlook import Outlook
from harness.bundle.parameters import RunParameters
from harness.bundle.plan import Plan
from harness.bundle.reading import read_bundle, read_offline
from harness.bundle.resolver import resolve
from harness.bundle.run import RunResult, TaskResult, cancel, follow, job_of, look, run_job, start_job
from harness.bundle.telling import Display

__all__ = [
    "Bundle",
    "Choice",
    "Deployed",
    "Deployment",
    "Display",
    "Identity",
    "Outlook",
    "Plan",
    "Resource",
    "RunParameters",
    "RunResult",
    "Source",
    "TaskResult",
    "cancel",
    "deploy",
    "destroy",
    "find_bundle",
    "follow",
    "foreseen",
    "job_of",
    "load_deployed",
    "look",
    "read_bundle",
    "read_offline",
    "read_sources",
    "resolve",
    "run_job",
    "start_job",
]
