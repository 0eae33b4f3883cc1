"""A statement of SQLAlchemy's Core, compiled once a dialect and then run on the driver's own cursor.

Composing and compiling cost more than running; prepared, a statement costs a fraction of a microsecond above the
driver. Values reach the driver as they are (int, str, bytes, None) and rows come back as plain tuples: the schema uses
no type that needs converting. A list is passed as JSON (`each`), so that its length does not change the statement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    BinaryExpression,
    ClauseElement,
    ColumnElement,
    Select,
    Text,
    bindparam,
    cast,
    column,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

Values = Mapping[str, Any]
Marks = Callable[[Any, Values], None]

_MEMBERS: Final = "json_array_elements_text"


class _PostgresCompiler(PGCompiler):
    """Lists are searched with an index, whatever the planner believes of the sizes of things.

    `IN (SELECT …)` is a join to it. Where it takes a collection to be small, for this is a plan for all owners and most
    have little, it compares each of the items that are there with each name that is asked for.
    """

    def visit_in_op_binary(self, binary: BinaryExpression[Any], operator: Any, **options: Any) -> str:
        if "from_linter" in options:
            options["from_linter"] = None
        left, right = (self.process(side, **options) for side in (binary.left, binary.right))
        return f"{left} = ANY (ARRAY{right})" if _MEMBERS in right else f"{left} IN {right}"


class _PostgresDialect(PGDialect):
    statement_compiler = _PostgresCompiler


_DIALECTS: Final[Mapping[str, Callable[[], Dialect]]] = {
    "sqlite": lambda: SQLiteDialect(paramstyle="qmark"),
    "postgresql": lambda: _PostgresDialect(paramstyle="format"),  # type: ignore[no-untyped-call]
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """The text for one driver; `bind` puts named values into the order in which the text wants them."""

    sql: str
    bind: Callable[[Values], tuple[Any, ...]]


class Prepared:
    """A select, insert, update or delete whose parameters are named by `bindparam`."""

    __slots__ = ("_compiled", "_postgresql", "_statement", "marks")

    def __init__(
        self, statement: ClauseElement, *, postgresql: ClauseElement | None = None, marks: Marks | None = None
    ) -> None:
        """`postgresql`: what gives the same there, where it is better asked in other words. `marks`: what is done
        before it is run, with the transaction and the values, so that it is known what it changes."""
        self._statement = statement
        self.marks = marks
        self._postgresql = statement if postgresql is None else postgresql
        self._compiled: dict[str, Compiled] = {}

    def compiled(self, dialect: str) -> Compiled:
        """The text for `dialect`, `sqlite` or `postgresql`. A missing parameter is a `KeyError` at `bind`."""
        try:
            return self._compiled[dialect]
        except KeyError:
            statement = self._postgresql if dialect == "postgresql" else self._statement
            made = self._compiled[dialect] = _compile(statement, dialect)
            return made


def _compile(statement: ClauseElement, dialect: str) -> Compiled:
    compiled = statement.compile(dialect=_DIALECTS[dialect](), compile_kwargs={"render_postcompile": True})
    assert isinstance(compiled, SQLCompiler)
    names = tuple(compiled.positiontup or ())
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    return Compiled(compiled.string, _binder(names, constants))


def _binder(names: tuple[str, ...], constants: Values) -> Callable[[Values], tuple[Any, ...]]:
    if not names:
        return lambda values: ()
    if len(names) == 1:
        (only,) = names
        return lambda values: (values[only] if only in values else constants[only],)
    pick = itemgetter(*names)
    if constants:
        return lambda values: pick({**constants, **values})
    return pick


class _Members(FunctionElement[str]):
    """The members of a JSON array, as text."""

    name = "members"
    inherit_cache = True


@compiles(_Members, "sqlite")
def _(element: _Members, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_Members, "postgresql")
def _(element: _Members, compiler: SQLCompiler, **options: Any) -> str:
    return f"{_MEMBERS}(CAST({compiler.process(element.clauses, **options)} AS json))"


class locate(FunctionElement[int]):
    """`locate(text, part)`: where `part` first stands in `text`, counted from 1; 0 where it does not."""

    type = BigInteger()
    name = "locate"
    inherit_cache = True


@compiles(locate, "sqlite")
def _(element: locate, compiler: SQLCompiler, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)})"


@compiles(locate, "postgresql")
def _(element: locate, compiler: SQLCompiler, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)})"


def each(name: str) -> Select[tuple[str]]:
    """The members of the JSON array of texts in parameter `name`: `column.in_(each("names"))`."""
    given = _Members(bindparam(name, type_=Text)).table_valued(column("value", Text), name=f"given_{name}")
    return select(given.c.value)


def each_id(name: str) -> Select[tuple[int]]:
    """The same for an array of integers."""
    given = _Members(bindparam(name, type_=Text)).table_valued(column("value", Text), name=f"given_{name}")
    return select(cast(given.c.value, BigInteger))


def sought(
    columns: Sequence[ColumnElement[Any]],
    *conditions: ColumnElement[bool],
    by: ColumnElement[Any],
    name: str,
    order: ColumnElement[Any] | None = None,
) -> Select[Any]:
    """PostgreSQL's words for `select(*columns).where(*conditions, by.in_(each(name))).order_by(order)`.

    Each member is looked up by itself. Asked with IN, the planner reads all that meets the conditions wherever it takes
    that to be little; but its plan is for all owners, and some have a hundred times what most have.
    """
    members = _Members(bindparam(name, type_=Text)).table_valued(column("value", Text), name=f"given_{name}")
    value = cast(members.c.value, BigInteger) if isinstance(by.type, BigInteger) else members.c.value
    given = select(value.label("value")).distinct().subquery(f"each_{name}")
    extra = () if order is None else (order,)
    shown = [one.label(f"c{place}") for place, one in enumerate((*columns, *extra))]
    # OFFSET keeps the planner from making one join of it.
    found = select(*shown).where(*conditions, by == given.c.value).offset(literal_column("0")).lateral("found")
    *answer, last = found.c if extra else (*found.c, None)
    statement = select(*answer).select_from(given).join(found, true())
    return statement if last is None else statement.order_by(last)
