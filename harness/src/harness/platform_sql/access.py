"""Statements about who may do what, and what is said of things besides their names: grants, owners, tags, comments, keys."""

from dataclasses import dataclass
from typing import assert_never

from harness.errors import ApiError, NotEmulated
from harness.names import FullName
from harness.platform_sql import model
from harness.platform_sql.model import Answer, Securable
from harness.platform_sql.place import Place
from harness.unity.grants import Change as Granting
from harness.unity.model import Change
from harness.unity.service import UnityService

Statement = (
    model.ChangeOwner | model.ChangeOptimization | model.ChangeTags | model.Comment | model.ChangeGrants | model.ShowGrants | model.DropKey
)


@dataclass(frozen=True, slots=True)
class Access:
    """Carries these statements out."""

    unity: UnityService

    def carried_out(self, statement: Statement, place: Place) -> Answer:  # noqa: PLR0911 - one case a statement
        """Carry one out; raise the platform's errors."""
        match statement:
            case model.ChangeOwner(of, principal):
                return self._change(of, Change(owner=principal), place, "OWNER TO")
            case model.ChangeOptimization(of, to):
                return self._change(of, Change(enable_predictive_optimization=to), place, "PREDICTIVE OPTIMIZATION")
            case model.Comment(on, text):
                return self._change(on, Change(comment=text), place, "COMMENT ON")
            case model.DropKey():
                return self._drop_key(statement, place.full_name(statement.table, "table"))
            case model.ChangeTags():
                return self._change_tags(statement, place)
            case model.ChangeGrants():
                return self._change_grants(statement, place)
            case model.ShowGrants(on, principal):
                return self._show_grants(on, principal, place)
        assert_never(statement)

    def _change(self, of: Securable, change: Change, place: Place, what: str) -> Answer:
        name = place.name_of(of)
        if of.kind == "catalog":
            self.unity.namespaces.update_catalog(name, change=change)
        elif of.kind == "schema":
            self.unity.namespaces.update_schema(name, change=change)
        elif of.kind == "volume" and change.enable_predictive_optimization is None:
            self.unity.volumes.update(FullName.parse(name, "volume"), comment=change.comment, owner=change.owner)
        elif of.kind == "table" and change.owner is not None:
            self.unity.relations.change_owner(FullName.parse(name), change.owner)
        else:
            raise NotEmulated(f"SQL: {what} of a {of.kind}")
        return Answer()

    def _drop_key(self, asked: model.DropKey, table: FullName) -> Answer:
        keys = self.unity.constraints
        try:
            if asked.name:
                keys.delete(table, asked.name, cascade=asked.cascade)
            elif asked.columns:
                keys.delete_foreign(table, asked.columns)
            else:
                keys.delete_primary(table, cascade=asked.cascade)
        except ApiError as error:
            if not (asked.if_exists and error.error_code == "CONSTRAINT_DOES_NOT_EXIST"):
                raise
        return Answer()

    def _change_tags(self, asked: model.ChangeTags, place: Place) -> Answer:
        kind, name = f"{asked.on.kind}s", place.name_of(asked.on)
        if asked.put:
            self.unity.tags.set(kind, name, asked.put, new=asked.strict)
        else:
            self.unity.tags.unset(kind, name, asked.drop, known=asked.strict)
        return Answer()

    def _change_grants(self, asked: model.ChangeGrants, place: Place) -> Answer:
        privileges = list(asked.privileges)
        change = Granting(asked.principal, add=privileges) if asked.grant else Granting(asked.principal, remove=privileges)
        self.unity.grants.update(asked.on.kind, place.name_of(asked.on), [change])
        return Answer()

    def _show_grants(self, on: Securable, principal: str, place: Place) -> Answer:
        # docs.databricks.com/sql/language-manual/security-show-grant: inherited ones too, each with the object that it is attached to
        name = place.name_of(on)
        rows = [
            (who, each.privilege.replace("_", " "), each.from_type or on.kind.upper(), each.from_name or name)
            for who, held in sorted(self.unity.grants.effective(on.kind, name).items())
            if principal in {"", who}
            for each in held
        ]
        return Answer("principal STRING, actionType STRING, objectType STRING, objectKey STRING", tuple(rows))
