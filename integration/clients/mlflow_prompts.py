"""mlflow's prompt registry in Unity Catalog: versions, aliases, tags, searches.

`python mlflow_prompts.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed.
"""

import logging
import uuid

import mlflow
from databricks.sdk import WorkspaceClient
from mlflow.exceptions import MlflowException

logging.getLogger("mlflow").setLevel(logging.ERROR)


def main() -> None:
    """Do it all in a schema of its own."""
    mlflow.set_tracking_uri("databricks")
    mlflow.set_registry_uri("databricks-uc")
    workspace, schema = WorkspaceClient(), f"clients_{uuid.uuid4().hex[:8]}"
    workspace.schemas.create(schema, "main")
    name, client = f"main.{schema}.greeting", mlflow.MlflowClient()

    first = mlflow.genai.register_prompt(name, "Hello {{who}}", commit_message="first", tags={"tone": "plain"})
    chat = [{"role": "system", "content": "Greet {{who}}"}, {"role": "user", "content": "Hi"}]
    second = mlflow.genai.register_prompt(name, chat, commit_message="as a chat")
    assert (first.version, second.version) == (1, 2)
    mlflow.genai.set_prompt_alias(name, alias="production", version=1)
    loaded = mlflow.genai.load_prompt(f"prompts:/{name}@production")
    assert (loaded.version, loaded.format(who="you"), loaded.commit_message) == (1, "Hello you", "first")
    assert (loaded.tags, loaded.aliases) == ({"tone": "plain"}, ["production"])
    assert mlflow.genai.load_prompt(f"prompts:/{name}/2").template == chat
    mlflow.genai.set_prompt_alias(name, alias="production", version=2)
    assert mlflow.genai.load_prompt(f"prompts:/{name}@production", cache_ttl_seconds=0).version == 2
    mlflow.genai.delete_prompt_alias(name, alias="production")

    client.set_prompt_tag(name, "team", "ml")
    client.set_prompt_tag(name, "gone", "soon")
    client.delete_prompt_tag(name, "gone")
    assert client.get_prompt(name).tags == {"tone": "plain", "team": "ml"}
    client.set_prompt_version_tag(name, "2", "reviewed", "yes")
    assert client.get_prompt_version(name, "2").tags == {"reviewed": "yes"}
    client.delete_prompt_version_tag(name, "2", "reviewed")
    assert client.get_prompt_version(name, "2").tags == {}
    found = mlflow.genai.search_prompts(f"catalog = 'main' AND schema = '{schema}'")
    assert [each.name for each in found] == [name]
    assert sorted(int(each.version) for each in client.search_prompt_versions(name)) == [1, 2]
    assert client.get_prompt(f"main.{schema}.missing") is None

    try:
        client.delete_prompt(name)
    except MlflowException as error:
        assert error.error_code == "INVALID_PARAMETER_VALUE", error
    else:
        raise AssertionError("a prompt with versions is not removed")
    for version in ("1", "2"):
        client.delete_prompt_version(name, version)
    client.delete_prompt(name)
    assert client.get_prompt(name) is None
    workspace.schemas.delete(f"main.{schema}")


if __name__ == "__main__":
    main()
