"""What a deployment leaves beside its state for whoever looks at its jobs: `<root>/state/metadata.json`.

Every job of a bundle names this file (`deployment.metadata_file_path`). Assumption: its shape is as observed in workspaces; the platform
documents the field and not the file.
"""

import json
from collections.abc import Mapping

from databricks.sdk import WorkspaceClient

from harness.bundle.calls import write_file
from harness.bundle.deployed import Entry
from harness.bundle.model import Bundle


def write_metadata(bundle: Bundle, workspace: WorkspaceClient, deployed: Mapping[str, Entry]) -> None:
    """Write which jobs the deployment has, by id, where they are defined, and of which commit they are."""
    jobs = {
        key: {"id": deployed[f"resources.jobs.{key}"].id, "relative_path": job.at.file}
        for key, job in bundle.of_kind("jobs").items()
        if f"resources.jobs.{key}" in deployed
    }
    git = bundle.tree.find("bundle", "git")
    document = {
        "version": 1,
        "config": {
            "bundle": {"name": bundle.name, "target": bundle.target, "git": git.plain() if git is not None else {}},
            "workspace": {"file_path": bundle.paths.files},
            "resources": {"jobs": jobs},
        },
    }
    write_file(workspace, f"{bundle.paths.state}/metadata.json", json.dumps(document, indent=1, sort_keys=True).encode())
