"""`/Volumes/…`, `/Workspace/…` and `dbfs:/…` in Spark: the same files that plain Python, `dbutils.fs` and the REST routes see."""

import io
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.workspace import ImportFormat

from harness.config import Layout

pytestmark = pytest.mark.platform


@pytest.fixture
def volume(workspace: WorkspaceClient, catalog: str) -> str:
    """A volume's path."""
    workspace.volumes.create(catalog, "default", "files", VolumeType.MANAGED)
    return f"/Volumes/{catalog}/default/files"


@pytest.mark.parametrize("scheme", ["", "dbfs:", "file:"])
def test_spark_reads_what_was_uploaded(spark: Any, workspace: WorkspaceClient, volume: str, scheme: str) -> None:
    """With globs; and says the path that it was asked for."""
    for day in (1, 2):
        workspace.files.upload(f"{volume}/in/day={day}/trips.csv", io.BytesIO(b"id,fare\n1,2.5\n2,3.5\n"))

    frame = spark.read.option("header", "true").csv(f"{scheme}{volume}/in/day=*/*.csv")
    names = {row[0] for row in frame.selectExpr("input_file_name()").collect()}

    assert frame.count() == 4
    assert names == {f"{scheme or 'file:'}{volume}/in/day={day}/trips.csv" for day in (1, 2)}


@pytest.mark.parametrize("scheme", ["", "dbfs:"])
def test_delta_by_path_lies_in_the_volume(spark: Any, workspace: WorkspaceClient, volume: str, layout: Layout, scheme: str) -> None:
    """Written, changed and read again by SQL; visible through the Files API, with no checksum files beside."""
    path = f"{scheme}{volume}/trips"
    spark.range(3).write.format("delta").save(path)
    spark.range(3, 5).write.format("delta").mode("append").save(path)
    spark.sql(f"DELETE FROM delta.`{path}` WHERE id = 0")  # noqa: S608 - a path of our own

    assert [row[0] for row in spark.sql(f"SELECT id FROM delta.`{path}` ORDER BY id").collect()] == [1, 2, 3, 4]  # noqa: S608
    assert len(spark.sql(f"DESCRIBE HISTORY delta.`{path}`").collect()) == 3
    found = [entry.name or "" for entry in workspace.files.list_directory_contents(f"{volume}/trips")]
    assert "_delta_log" in found
    lies = layout.files / volume.lstrip("/") / "trips"
    assert [each for each in lies.rglob("*") if each.suffix == ".crc" and each.name.startswith(".")] == []


def test_spark_reads_files_of_the_workspace(spark: Any, workspace: WorkspaceClient) -> None:
    """Beside a notebook, as bundles have them."""
    path = "/Workspace/Users/developer@harness.local/zones.csv"
    workspace.workspace.upload(path, io.BytesIO(b"zone\n1\n"), format=ImportFormat.AUTO, overwrite=True)

    assert spark.read.option("header", "true").csv(f"file:{path}").collect()[0][0] == "1"


def test_other_paths_of_dbfs_have_a_folder_of_their_own(spark: Any, layout: Layout, catalog: str) -> None:
    """With and without the scheme where the platform's own datasets lie."""
    folder = f"databricks-datasets/{catalog}"
    spark.range(2).write.parquet(f"dbfs:/{folder}")

    assert spark.read.parquet(f"/{folder}").count() == 2
    assert (layout.files / "dbfs" / folder).is_dir()


def test_a_path_that_is_not_there_is_told_as_the_user_wrote_it(spark: Any, volume: str, layout: Layout) -> None:
    """Without the folder of the harness."""
    with pytest.raises(Exception, match=r"\[PATH_NOT_FOUND\] Path does not exist") as caught:
        spark.read.csv(f"{volume}/nothing").collect()

    assert f"{volume}/nothing" in str(caught.value)
    assert str(layout.state) not in str(caught.value)


def test_paths_of_this_machine_stay(spark: Any, tmp_path: Path) -> None:
    """What lies below none of the harness's roots."""
    spark.range(2).write.parquet(str(tmp_path / "there"))

    assert list((tmp_path / "there").glob("*.parquet"))
