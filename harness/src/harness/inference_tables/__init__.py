"""Payload logging of served models: the journal, and the Delta tables it is written to."""

from harness.inference_tables.delivery import Delivery
from harness.inference_tables.delta_table import WarehouseFolders
from harness.inference_tables.mover_process import MoverProcess
from harness.inference_tables.routes import routes
from harness.inference_tables.service import InferenceTables

__all__ = ["Delivery", "InferenceTables", "MoverProcess", "WarehouseFolders", "routes"]
