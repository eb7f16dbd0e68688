"""Which levels of permission which objects have. Pure.

docs.databricks.com, security/auth/access-control: one table a type of object. Assumption: the descriptions.
"""

from collections.abc import Mapping

_TREE = {
    "CAN_READ": "Can view, comment and attach",
    "CAN_RUN": "Can read and run",
    "CAN_EDIT": "Can run and edit",
    "CAN_MANAGE": "Can edit, move, delete and change permissions",
}

# From the least to the most.
LEVELS: Mapping[str, Mapping[str, str]] = {
    "directories": _TREE,
    "notebooks": _TREE,
    "files": _TREE,
    "jobs": {
        "CAN_VIEW": "Can view the job and its runs",
        "CAN_MANAGE_RUN": "Can view, run and cancel the job",
        "IS_OWNER": "Owns the job: its runs are the owner's",
        "CAN_MANAGE": "Can manage the job",
    },
    "experiments": {
        "CAN_READ": "Can view the experiment",
        "CAN_EDIT": "Can view, log to and edit the experiment",
        "CAN_MANAGE": "Can manage the experiment",
    },
    "registered-models": {
        "CAN_READ": "Can view the registered model",
        "CAN_EDIT": "Can edit the registered model and add versions",
        "CAN_MANAGE_STAGING_VERSIONS": "Can edit, and manage staging versions",
        "CAN_MANAGE_PRODUCTION_VERSIONS": "Can edit, and manage staging and production versions",
        "CAN_MANAGE": "Can manage the registered model",
    },
    "serving-endpoints": {
        "CAN_VIEW": "Can view the serving endpoint",
        "CAN_QUERY": "Can view and query the serving endpoint",
        "CAN_MANAGE": "Can manage the serving endpoint",
    },
}


def singular(kind: str) -> str:
    """Return the type of object that the path's word `kind` stands for.

    Assumption: the singular of the path's word is the object type ("jobs" -> "job"), as in the documented examples.
    """
    return kind.removesuffix("ies") + "y" if kind.endswith("ies") else kind.removesuffix("s")
