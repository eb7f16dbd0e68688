"""What goes by a name of Unity Catalog and would not find it again under another: why some renamings are refused."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from harness.isolation import IsolatedWorkspace
from harness.monitoring.model import Monitor
from harness.names import moved


@dataclass(frozen=True, slots=True)
class HeldNames:
    """Endpoints name models, their logs and monitors name tables, and the sessions of an isolated workspace begin in its catalog."""

    served_models: Callable[[], Sequence[tuple[str, str]]]
    """Names of endpoints, and of models that they serve."""
    payload_tables: Callable[[], Sequence[str]]
    monitors: Callable[[], Sequence[Monitor]]
    workspaces: Callable[[], Sequence[IsolatedWorkspace]]

    def of(self, place: str) -> Sequence[str]:
        """Return in words what goes by the name of a catalog, schema or model, or of something in it."""
        is_model = place.count(".") == 2
        found = self._models() if is_model else (*self._models(), *self._tables())
        return [f"{what} {uses} {name}" for what, uses, name in found if moved(name.replace("`", "").lower(), place, place)]

    def _models(self) -> Iterator[tuple[str, str, str]]:
        for endpoint, model in self.served_models():
            yield f"serving endpoint '{endpoint}'", "serves", model

    def _tables(self) -> Iterator[tuple[str, str, str]]:
        for table in self.payload_tables():
            yield "a serving endpoint", "logs its calls into", table
        for monitor in self.monitors():
            for name in (monitor.table, monitor.output_schema, monitor.config.baseline_table_name or ""):
                yield f"a monitor of '{monitor.table}'", "names", name
        for workspace in self.workspaces():
            yield f"the isolated workspace '{workspace.workspace_id}'", "works in", workspace.catalog
