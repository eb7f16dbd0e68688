"""Reads the messages of `DeltaTable` over Spark Connect, in the driver, through py4j.

Relations become plans that are not carried out here: Spark asks for them at analysis and again at execution, and a merge must happen once.
"""

import logging
from typing import Any

from harness.delta_table import statements
from harness.jvm import callable_jvm

log = logging.getLogger(__name__)


def register(spark: Any) -> None:
    """Answer Delta's messages for every Spark Connect session."""
    jvm = callable_jvm(spark)
    jvm.harness.DeltaMessages.register(Reader(jvm))


class Reader:
    """Answers Java's `harness.DeltaMessages.Reader`."""

    def __init__(self, jvm: Any) -> None:
        self._jvm = jvm

    def relation(self, data: Any, planner: Any) -> Any:
        """Return the plan of a relation."""
        from delta.connect.proto import relations_pb2

        return self._answered(data, relations_pb2.DeltaRelation, lambda message: Plans(self._jvm, planner).relation(message))

    def command(self, data: Any, planner: Any) -> Any:
        """Carry out a command."""
        from delta.connect.proto import commands_pb2

        def carry_out(message: Any) -> Any:
            plans = Plans(self._jvm, planner)
            statement = statements.command(message, plans.type_name)
            if statement is None:
                raise NotImplementedError(f"DeltaTable: {message.WhichOneof('command_type')} is not emulated by the harness")
            planner.session().sql(statement)
            return True

        return self._answered(data, commands_pb2.DeltaCommand, carry_out)

    def _answered(self, data: Any, type_: Any, answer: Any) -> Any:
        from google.protobuf.any_pb2 import Any as Packed
        from py4j.protocol import Py4JJavaError

        packed = Packed.FromString(bytes(data))
        if not packed.Is(type_.DESCRIPTOR):
            return None
        try:
            return answer(type_.FromString(packed.value))
        except Py4JJavaError as error:
            return error.java_exception
        except Exception as error:  # the engine's thread must be told, in words that it can raise
            log.exception("a message of DeltaTable could not be answered")
            return self._jvm.java.lang.UnsupportedOperationException(str(error))

    class Java:
        """Tells py4j what this object implements."""

        implements = ("harness.DeltaMessages$Reader",)


class Plans:
    """Spark's plans of the messages of one session."""

    def __init__(self, jvm: Any, planner: Any) -> None:
        self._jvm = jvm
        self._planner = planner
        self._logical = jvm.org.apache.spark.sql.catalyst.plans.logical

    def relation(self, message: Any) -> Any:
        """Return the plan of a relation."""
        kind = message.WhichOneof("relation_type")
        statement = statements.relation(message)
        if statement is not None:
            return self._parsed(statement)
        answer = getattr(self, f"_{kind}", None)
        if answer is None:
            raise NotImplementedError(f"DeltaTable: {kind} is not emulated by the harness")
        return answer(getattr(message, kind))

    def type_name(self, message: Any) -> str:
        """Return the SQL name of a type's message; one that the user gave as text is it already."""
        if message.WhichOneof("kind") == "unparsed":
            return str(message.unparsed.data_type_string)
        proto = self._read(self._jvm.org.apache.spark.connect.proto.DataType, message)
        converter = getattr(getattr(self._jvm, "org.apache.spark.sql.connect.common.DataTypeProtoConverter$"), "MODULE$")
        return str(converter.toCatalystType(proto).sql())

    def _scan(self, message: Any) -> Any:
        return self._parsed(f"TABLE {statements.table(message.table)}")

    def _convert_to_delta(self, message: Any) -> Any:
        statement = statements.converted(message, self.type_name)
        return self._parsed(self._jvm.harness.EngineStatements.telling(statement))

    def _is_delta_table(self, message: Any) -> Any:
        found = self._jvm.io.delta.tables.DeltaTable.isDeltaTable(self._planner.session(), message.path)
        return self._parsed(f"SELECT {str(bool(found)).lower()} AS value")

    def _delete_from_table(self, message: Any) -> Any:
        condition = self._condition(message)
        return self._logical.DeleteFromTable(self._plan(message.target), condition if condition is not None else self._always())

    def _update_table(self, message: Any) -> Any:
        condition = self._option(self._condition(message))
        return self._logical.UpdateTable(self._plan(message.target), self._assignments(message.assignments), condition)

    def _merge_into_table(self, message: Any) -> Any:
        groups = (message.matched_actions, message.not_matched_actions, message.not_matched_by_source_actions)
        actions = [self._sequence([self._action(each) for each in group]) for group in groups]
        target, source = self._plan(message.target), self._plan(message.source)
        return self._logical.MergeIntoTable(target, source, self._expression(message.condition), *actions, message.with_schema_evolution)

    def _action(self, message: Any) -> Any:
        condition = self._option(self._condition(message))
        match message.WhichOneof("action_type"):
            case "delete_action":
                return self._logical.DeleteAction(condition)
            case "update_action":
                return self._logical.UpdateAction(condition, self._assignments(message.update_action.assignments), False)
            case "update_star_action":
                return self._logical.UpdateStarAction(condition)
            case "insert_action":
                return self._logical.InsertAction(condition, self._assignments(message.insert_action.assignments))
            case _:
                return self._logical.InsertStarAction(condition)

    def _assignments(self, messages: Any) -> Any:
        return self._sequence([self._logical.Assignment(self._expression(each.field), self._expression(each.value)) for each in messages])

    def _condition(self, message: Any) -> Any:
        return self._expression(message.condition) if message.HasField("condition") else None

    def _always(self) -> Any:
        return getattr(getattr(self._jvm, "org.apache.spark.sql.catalyst.expressions.Literal$"), "MODULE$").TrueLiteral()

    def _expression(self, message: Any) -> Any:
        return self._planner.transformExpression(self._read(self._jvm.org.apache.spark.connect.proto.Expression, message))

    def _plan(self, message: Any) -> Any:
        return self._planner.transformRelation(self._read(self._jvm.org.apache.spark.connect.proto.Relation, message))

    def _read(self, type_: Any, message: Any) -> Any:
        return self._jvm.harness.Requests.heard(type_.parseFrom(message.SerializeToString()))  # as all others are: Sessions.java

    def _parsed(self, statement: str) -> Any:
        return self._planner.session().sessionState().sqlParser().parsePlan(statement)

    def _option(self, value: Any) -> Any:
        return self._jvm.scala.Option.apply(value)

    def _sequence(self, values: list[Any]) -> Any:
        return self._jvm.PythonUtils.toSeq(values)
