"""`dbutils.widgets`: named inputs of a notebook. A job gives their values; a notebook declares their defaults."""

from collections.abc import Mapping, Sequence


class InputWidgetNotDefined(Exception):  # noqa: N818 - the platform's name
    """A widget is asked for that neither the job nor the notebook has defined."""


class Widgets:
    """The widgets of one notebook run: what was given to it, and what it declares."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}
        self._declared: dict[str, str] = {}

    def give(self, values: Mapping[str, str]) -> None:
        """Take the values that whoever runs the notebook gives."""
        self._given |= values

    def standing(self) -> dict[str, dict[str, str]]:
        """Return what was given and declared, for `take_up` after a restart of Python."""
        return {"given": self._given, "declared": self._declared}

    def take_up(self, standing: Mapping[str, Mapping[str, str]]) -> None:
        """Be what another process's widgets were."""
        self._given |= standing.get("given", {})
        self._declared |= standing.get("declared", {})

    def text(self, name: str, defaultValue: str, label: str | None = None) -> None:  # noqa: ARG002, N803 - the platform's names
        """Declare a widget of free text."""
        self._declare(name, defaultValue)

    def dropdown(
        self,
        name: str,
        defaultValue: str,  # noqa: N803 - the platform's name
        choices: Sequence[str],
        label: str | None = None,  # noqa: ARG002 - shown by the platform's pages only
    ) -> None:
        """Declare a widget of one of `choices`."""
        if defaultValue not in choices:
            raise ValueError(f"widget '{name}': the default '{defaultValue}' is not among its choices: {', '.join(choices)}")
        self._declare(name, defaultValue)

    def combobox(
        self,
        name: str,
        defaultValue: str,  # noqa: N803 - the platform's name
        choices: Sequence[str],  # noqa: ARG002 - another value may be typed as well
        label: str | None = None,  # noqa: ARG002 - shown by the platform's pages only
    ) -> None:
        """Declare a widget of `choices` or any other text."""
        self._declare(name, defaultValue)

    def multiselect(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:  # noqa: N803
        """Declare a widget of some of `choices`; its value is their names with commas between."""
        self.dropdown(name, defaultValue, choices, label)

    def get(self, name: str) -> str:
        """Return the value of a widget; `InputWidgetNotDefined` when nobody defined it."""
        if name in self._given:
            return self._given[name]
        if name in self._declared:
            return self._declared[name]
        raise InputWidgetNotDefined(f"No input widget named {name} is defined; defined: {', '.join(self.getAll()) or 'none'}")

    def getArgument(self, name: str, optional: str | None = None) -> str:  # noqa: N802 - the platform's name
        """Return the value of a widget, or `optional` when nobody defined it."""
        return optional if optional is not None and name not in self.getAll() else self.get(name)

    def getAll(self) -> dict[str, str]:  # noqa: N802 - the platform's name
        """Return the values of all widgets by name."""
        return {**self._declared, **self._given}

    def remove(self, name: str) -> None:
        """Forget a widget."""
        self._declared.pop(name, None)
        self._given.pop(name, None)

    def removeAll(self) -> None:  # noqa: N802 - the platform's name
        """Forget all widgets."""
        self._declared.clear()
        self._given.clear()

    def _declare(self, name: str, default: str) -> None:
        if not isinstance(default, str):
            raise TypeError(f"widget '{name}': the default must be a string, not {type(default).__name__}")
        self._declared[name] = default
