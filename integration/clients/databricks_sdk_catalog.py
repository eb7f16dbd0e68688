"""`w.catalogs`, `w.schemas`, `w.tables`, `w.volumes`, `w.grants`, `w.metastores` and `information_schema`, from one end to the other.

`python databricks_sdk_catalog.py` with DATABRICKS_HOST and DATABRICKS_TOKEN set; nothing else is needed.
"""

import uuid

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound
from databricks.sdk.service.catalog import (
    ColumnTypeName,
    CreateFunction,
    CreateFunctionParameterStyle,
    CreateFunctionRoutineBody,
    CreateFunctionSecurityType,
    CreateFunctionSqlDataAccess,
    FunctionParameterInfo,
    FunctionParameterInfos,
    PermissionsChange,
    PrimaryKeyConstraint,
    Privilege,
    TableConstraint,
    TableType,
    VolumeType,
)
from databricks.sdk.service.sql import StatementState

NAME = f"c_{uuid.uuid4().hex[:8]}"


def main() -> None:
    """Play it through."""
    client = WorkspaceClient()
    client.catalogs.create(NAME, comment="tried", properties={"team": "a"})
    try:
        schemas(client)
        tables(client)
        grants(client)
        functions(client)
        renames(client)
    finally:
        client.catalogs.delete(NAME, force=True)
    assert NAME not in {catalog.name for catalog in client.catalogs.list()}
    metastore(client)


def schemas(client: WorkspaceClient) -> None:
    """Make, change, page and refuse."""
    made = client.schemas.create("sales", NAME, comment="first")
    client.schemas.update(f"{NAME}.sales", comment="second", owner="ann@example.com")
    found = client.schemas.get(f"{NAME}.sales")
    assert (found.schema_id, found.comment, found.owner) == (made.schema_id, "second", "ann@example.com"), found
    assert [each.name for each in client.schemas.list(NAME, max_results=1)] == ["default", "information_schema", "sales"]
    try:
        client.schemas.create("sales", NAME)
    except BadRequest as refused:
        assert refused.error_code == "SCHEMA_ALREADY_EXISTS", refused
    else:
        raise AssertionError("a schema of the same name")


def tables(client: WorkspaceClient) -> None:
    """Make a table by SQL, look at it, declare a key, remove it."""
    sql(client, f"CREATE TABLE {NAME}.sales.orders (id BIGINT NOT NULL COMMENT 'number', price DECIMAL(10, 2))")
    name = f"{NAME}.sales.orders"
    table = client.tables.get(name)
    assert table.table_type is TableType.MANAGED, table
    told = [(column.name, column.type_text, column.nullable, column.comment) for column in table.columns or []]
    assert told == [("id", "bigint", False, "number"), ("price", "decimal(10,2)", True, None)], told
    key = PrimaryKeyConstraint("orders_pk", ["id"])
    client.table_constraints.create(name, TableConstraint(primary_key_constraint=key))
    declared = client.tables.get(name).table_constraints or []
    assert [each.primary_key_constraint and each.primary_key_constraint.child_columns for each in declared] == [["id"]], declared
    described = f"SELECT column_name, data_type FROM {NAME}.information_schema.columns WHERE table_schema = 'sales' ORDER BY 1"
    assert sql(client, described) == [["id", "BIGINT"], ["price", "DECIMAL"]]
    assert [each.full_name for each in client.tables.list_summaries(NAME, table_name_pattern="ord%")] == [name]
    client.tables.delete(name)
    assert not client.tables.exists(name).table_exists
    try:
        client.tables.get(name)
    except NotFound:
        return
    raise AssertionError("a table that is gone")


def grants(client: WorkspaceClient) -> None:
    """Grant on a schema, and see it inherited by a volume."""
    client.volumes.create(NAME, "sales", "raw", VolumeType.MANAGED)
    change = PermissionsChange(principal="account users", add=[Privilege.READ_VOLUME])
    client.grants.update("schema", f"{NAME}.sales", changes=[change])
    held = client.grants.get_effective("volume", f"{NAME}.sales.raw", principal="account users").privilege_assignments or []
    found = [(one.privilege, one.inherited_from_name) for each in held for one in each.privileges or []]
    assert found == [(Privilege.READ_VOLUME, f"{NAME}.sales")], found
    client.volumes.update(f"{NAME}.sales.raw", new_name="cooked")
    assert [volume.name for volume in client.volumes.list(NAME, "sales")] == ["cooked"]


def functions(client: WorkspaceClient) -> None:
    """Make one, and call it by SQL."""
    made = client.functions.create(
        CreateFunction(
            name="inc",
            catalog_name=NAME,
            schema_name="sales",
            input_params=FunctionParameterInfos([FunctionParameterInfo("x", "INT", ColumnTypeName.INT, 0)]),
            data_type=ColumnTypeName.INT,
            full_data_type="INT",
            routine_body=CreateFunctionRoutineBody.SQL,
            routine_definition="x + 1",
            parameter_style=CreateFunctionParameterStyle.S,
            is_deterministic=True,
            sql_data_access=CreateFunctionSqlDataAccess.CONTAINS_SQL,
            is_null_call=True,
            security_type=CreateFunctionSecurityType.DEFINER,
            specific_name="inc",
        )
    )
    assert made.full_name == f"{NAME}.sales.inc", made
    assert sql(client, f"SELECT {NAME}.sales.inc(1)") == [["2"]]
    parameters = f"SELECT parameter_name, full_data_type FROM {NAME}.information_schema.parameters"
    assert sql(client, parameters) == [["x", "INT"]]


def renames(client: WorkspaceClient) -> None:
    """A schema takes along what it holds, a model its versions."""
    client.registered_models.create(catalog_name=NAME, schema_name="sales", name="fares")
    client.schemas.update(f"{NAME}.sales", new_name="sold")
    client.registered_models.update(f"{NAME}.sold.fares", new_name="prices")
    assert [model.full_name for model in client.registered_models.list(catalog_name=NAME, schema_name="sold")] == [f"{NAME}.sold.prices"]
    assert [volume.name for volume in client.volumes.list(NAME, "sold")] == ["cooked"]
    assert sql(client, f"SELECT {NAME}.sold.inc(1)") == [["2"]]


def metastore(client: WorkspaceClient) -> None:
    """There is one."""
    assert client.metastores.summary().metastore_id == client.metastores.current().metastore_id


def sql(client: WorkspaceClient, statement: str) -> list[list[str]]:
    """Return the rows of a statement."""
    warehouse = next(iter(client.warehouses.list())).id or ""
    done = client.statement_execution.execute_statement(statement, warehouse, wait_timeout="50s")
    assert done.status is not None
    assert done.status.state == StatementState.SUCCEEDED, done.status
    return (done.result and done.result.data_array) or []


if __name__ == "__main__":
    main()
