"""`mlflow.deployments` against serving endpoints: made, asked, changed, removed.

`python mlflow_deployments.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed.
"""

import logging
import time
import uuid
from typing import Any

import mlflow
import pandas as pd
import requests
from databricks.sdk import WorkspaceClient
from mlflow.deployments import get_deploy_client
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

logging.getLogger("mlflow").setLevel(logging.ERROR)
FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0]})


def register(name: str) -> None:
    """Register a model that doubles, twice."""
    model = LinearRegression().fit(FRAME, FRAME["a"] * 2)
    for _ in range(2):
        with mlflow.start_run():
            mlflow.sklearn.log_model(
                model,
                name="doubles",
                signature=infer_signature(FRAME, model.predict(FRAME)),
                pip_requirements=["scikit-learn==1.9.1"],
                registered_model_name=name,
            )


def ready(client: Any, endpoint: str) -> Any:
    """Return the endpoint once it answers with its newest configuration."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found = client.get_endpoint(endpoint)
        if found["state"]["ready"] == "READY" and found["state"]["config_update"] == "NOT_UPDATING":
            return found
        time.sleep(0.5)
    raise AssertionError(found["state"])


def refused(status: int, call: Any) -> None:
    """Check that a call is refused with a status."""
    try:
        call()
    except requests.HTTPError as error:
        assert error.response.status_code == status, error.response.text
    else:
        raise AssertionError(status)


def main() -> None:
    """Do it all with a model in a schema of its own."""
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    workspace, unique = WorkspaceClient(), f"clients_{uuid.uuid4().hex[:8]}"
    workspace.schemas.create(unique, "main")
    mlflow.set_experiment(f"/Shared/clients/deployments-{unique}")
    name, endpoint = f"main.{unique}.doubles", unique.replace("_", "-")
    register(name)
    client = get_deploy_client("databricks")
    entity = {"name": "doubles", "entity_name": name, "entity_version": "1", "workload_size": "Small", "scale_to_zero_enabled": True}
    made = client.create_endpoint(name=endpoint, config={"served_entities": [entity]})
    assert made["name"] == endpoint
    assert endpoint in [each["name"] for each in client.list_endpoints()]
    ready(client, endpoint)
    sent = {"dataframe_split": {"columns": ["a"], "data": [[4.0], [5.0]]}}
    assert [round(each, 6) for each in client.predict(endpoint=endpoint, inputs=sent)["predictions"]] == [8.0, 10.0]
    assert [round(each, 6) for each in client.predict(endpoint=endpoint, inputs={"dataframe_records": [{"a": 1.0}]})["predictions"]] == [
        2.0
    ]
    refused(400, lambda: client.predict(endpoint=endpoint, inputs={"dataframe_records": [{"b": 1.0}]}))
    client.update_endpoint_config(endpoint, {"served_entities": [{**entity, "entity_version": "2"}]})
    assert ready(client, endpoint)["config"]["served_entities"][0]["entity_version"] == "2"
    client.update_endpoint_tags(endpoint, {"add_tags": [{"key": "team", "value": "ml"}]})
    assert {"key": "team", "value": "ml"} in client.get_endpoint(endpoint)["tags"]
    client.update_endpoint_ai_gateway(endpoint, {"rate_limits": [{"calls": 1000, "renewal_period": "minute", "key": "endpoint"}]})
    refused(404, lambda: client.get_endpoint("no-such-endpoint"))
    client.delete_endpoint(endpoint)
    refused(404, lambda: client.get_endpoint(endpoint))
    mlflow.MlflowClient().delete_registered_model(name)
    workspace.schemas.delete(f"main.{unique}")


if __name__ == "__main__":
    main()
