"""Deploy a registered model behind a Databricks endpoint safely, query it, score tables with ai_query."""

from serving_client.address import Address, address
from serving_client.batch import Scored, score_table, served_version
from serving_client.batch_sql import ScoringSql
from serving_client.deployment import Deployer, Registry
from serving_client.errors import ServingError, VerificationFailed
from serving_client.example import input_example
from serving_client.plan import DeploymentPlan
from serving_client.query import query, score
from serving_client.retry import Retry
from serving_client.waiting import Waiting, Watch

__all__ = [
    "Address",
    "Deployer",
    "DeploymentPlan",
    "Registry",
    "Retry",
    "Scored",
    "ScoringSql",
    "ServingError",
    "VerificationFailed",
    "Waiting",
    "Watch",
    "address",
    "input_example",
    "query",
    "score",
    "score_table",
    "served_version",
]
