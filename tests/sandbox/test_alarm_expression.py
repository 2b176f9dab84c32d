"""Metric math: AWS's own examples as tables, the expressions of the program, and a parser that any text meets."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.cloudwatch import expression
from sandbox.cloudwatch.expression import (
    Array,
    Call,
    ExpressionError,
    Name,
    Negative,
    Node,
    Number,
    Operation,
    Repeat,
    parse,
)
from sandbox.cloudwatch.series import Series, Value

Row = list[float | None]
SHARE = "IF(requests >= 20, 100 * FILL(errors, 0) / requests, 0)"
SHARE_OF_TWO = "IF((FILL(r1,0) + FILL(r2,0)) >= 20, 100 * (FILL(e1,0) + FILL(e2,0)) / (FILL(r1,0)+FILL(r2,0)), 0)"


def result(text: str, known: Mapping[str, Row], periods: int = 5) -> Row:
    """What an expression makes of rows of values, where None is no data point."""
    found = value(text, {name: of(row) for name, row in known.items()}, periods)
    assert isinstance(found, Mapping), found
    assert all(at in range(periods) for at in found)
    return [found.get(at) for at in range(periods)]


def value(text: str, known: Mapping[str, Series], periods: int = 5) -> Value:
    return expression.evaluate(parse(text), known.__getitem__, range(periods))


def of(row: Row) -> Series:
    return {at: number for at, number in enumerate(row) if number is not None}


M1: Row = [30, 20, 0, 0]
M2: Row = [20, None, 20, None]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("metric1 < metric2", [0, 0, 1, 0]),
        ("metric1 >= 30", [1, 0, 0, 0]),
        ("metric1 > 15 AND metric2 > 15", [1, 0, 0, 0]),
        ("metric1 > 15 && metric2 > 15", [1, 0, 0, 0]),
        ("metric1 > 15 OR metric2 > 15", [1, 1, 1, 0]),
        ("metric1 > 15 || metric2 > 15", [1, 1, 1, 0]),
        ("metric1 != metric2", [1, 1, 1, 0]),
        ("metric2 == 20", [1, None, 1, None]),
    ],
)
def test_comparisons_are_those_of_aws_s_page(text: str, row: Row) -> None:
    assert result(text, {"metric1": M1, "metric2": M2}, 4) == row


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("IF(metric1, metric2, metric3)", [30, 0, 20, None, None]),
        ("IF(metric1, 5, metric3)", [5, 5, 20, None, None]),
        ("IF(metric1, metric2, 5)", [30, 0, 5, 5, None]),
        ("IF(metric1, metric2)", [30, 0, None, None, None]),
        ("IF(1, metric2, metric3)", [30, None, 0, 0, 30]),
        ("IF(0, metric2, metric3)", [0, 0, 20, None, 20]),
        ("IF(0, metric2)", [None] * 5),
        ("IF(0, metric2, 7)", [7] * 5),
    ],
)
def test_if_is_that_of_aws_s_page(text: str, row: Row) -> None:
    known: dict[str, Row] = {
        "metric1": [1, 1, 0, 0, None],
        "metric2": [30, None, 0, 0, 30],
        "metric3": [0, 0, 20, None, 20],
    }
    assert result(text, known) == row


@pytest.mark.parametrize(
    ("text", "row"),
    [
        pytest.param("a + b", [11, 2, 30, None], id="what is missing counts as 0"),
        pytest.param("a - b", [-9, 2, -30, None], id="on both sides"),
        pytest.param("a / b", [0.1, None, 0, None], id="a division by zero is no data point"),
        pytest.param("b / a", [10, 0, None, None], id="whichever way"),
        pytest.param("100 / a", [100, 50, None, None], id="a number has no periods of its own"),
        pytest.param("-a", [-1, -2, None, None], id="minus"),
        pytest.param("2 * a ^ 2 + 1", [3, 9, None, None], id="the usual order"),
        pytest.param("(a + b) * 2", [22, 4, 60, None], id="brackets"),
        pytest.param("a - 1 - 1", [-1, 0, None, None], id="from the left"),
        pytest.param("(0 - a) ^ 0.5", [None, None, None, None], id="no root of a negative number"),
        pytest.param("a * 1e308 * 10", [None, None, None, None], id="nothing beyond all numbers"),
        pytest.param("FILL(a, 0)", [1, 2, 0, 0], id="FILL"),
        pytest.param("FILL(none, 7)", [7, 7, 7, 7], id="FILL of a series without data"),
        pytest.param("FILL(b, REPEAT)", [10, 10, 30, 30], id="FILL with the last value"),
        pytest.param("FILL(c, REPEAT)", [None, 5, 5, 5], id="there is none before the first"),
        pytest.param("FILL(a, b)", [1, 2, 30, None], id="FILL with a series"),
        pytest.param("FILL(a, MIN(b))", [1, 2, 10, 10], id="FILL with a computed number"),
        pytest.param("MAX([a, b])", [10, 2, 30, None], id="MAX of an array: of what there is"),
        pytest.param("MIN([a, b])", [1, 2, 30, None], id="MIN of an array"),
        pytest.param("SUM([a, b, a])", [12, 4, 30, None], id="SUM of an array"),
        pytest.param("AVG([a, b])", [5.5, 1, 15, None], id="AVG of an array: what is missing is 0"),
        pytest.param("SUM(100 / [a, b])", [110, 50, 100 / 30, None], id="a number and an array"),
        pytest.param("SUM([a, b] * c)", [0, 10, 0, None], id="an array and a series"),
        pytest.param("a / SUM(b)", [1 / 40, 2 / 40, None, None], id="SUM of a series is a number"),
        pytest.param("a / SUM(none)", [None, None, None, None], id="and no number without data"),
    ],
)
def test_arithmetic_and_functions_follow_the_rules_for_missing_values(text: str, row: Row) -> None:
    known: dict[str, Row] = {
        "a": [1, 2, None, None], "b": [10, None, 30, None], "c": [None, 5, None, None], "none": []
    }  # fmt: skip
    assert result(text, known, 4) == pytest.approx(row)


@pytest.mark.parametrize(
    ("requests", "errors", "share"),
    [
        pytest.param(1000, 20, 2, id="the share in percent"),
        pytest.param(1000, None, 0, id="no series of errors is no error"),
        pytest.param(2, 1, 0, id="one error in two requests"),
        pytest.param(19, 19, 0, id="too little traffic to judge"),
        pytest.param(20, 20, 100, id="just enough traffic"),
        pytest.param(None, None, None, id="no traffic is no data point"),
        pytest.param(None, 3, None, id="errors without requests neither"),
    ],
)
def test_the_share_of_errors_of_one_metric(requests: float | None, errors: float | None, share: float | None) -> None:
    assert result(SHARE, {"requests": [requests], "errors": [errors]}, 1) == [share]


@pytest.mark.parametrize(
    ("requests", "errors", "share"),
    [
        pytest.param((50, None), (10, None), 20, id="one target group serves"),
        pytest.param((50, 50), (10, None), 10, id="both serve, one fails"),
        pytest.param((10, 10), (5, 5), 50, id="together it is enough traffic"),
        pytest.param((10, 9), (10, 9), 0, id="together it is not"),
        pytest.param((None, None), (None, None), 0, id="no traffic is no error"),
        pytest.param((None, None), (3, None), 0, id="errors without requests are not judged"),
    ],
)
def test_the_share_of_errors_of_two_target_groups(
    requests: tuple[float | None, float | None], errors: tuple[float | None, float | None], share: float
) -> None:
    known: dict[str, Row] = {"r1": [requests[0]], "r2": [requests[1]], "e1": [errors[0]], "e2": [errors[1]]}
    assert result(SHARE_OF_TWO, known, 1) == [share]


def test_the_slower_of_two_counts() -> None:
    assert result("MAX([l1, l2])", {"l1": [1, None, None], "l2": [2, 3, None]}, 3) == [2, 3, None]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a number, an id or a function, found the end"),
        ("a +", "found the end"),
        ("a b", "expected an operator, found 'b' at position 3"),
        ("(a", "expected ')', found the end"),
        ("[a, b", "expected ']', found the end"),
        ("(a, b)", "Brackets hold one expression"),
        ("a $ b", "unexpected '$' at position 3"),
        ("!a", "unexpected '!' at position 1"),
        ("RATE(a)", "Unsupported function 'RATE'"),
        ("fill(a, 0)", "Unsupported function 'fill'"),
        ("FILL(a)", "FILL takes 2 arguments and is given 1"),
        ("IF(a)", "IF takes 2 or 3 arguments and is given 1"),
        ("SUM(a, a)", "SUM takes 1 arguments and is given 2"),
        ("A", "'A' is no id"),
        ("FILL(a, LINEAR)", "'LINEAR' is no id"),
        ("1.2.3", "expected an operator"),
        ("(" * 60 + "a" + ")" * 60, "more than 50 levels"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as wrong:
        parse(text)

    assert says in str(wrong.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FILL(1, 0)", "no FILL of a number"),
        ("FILL(a, [a])", "no FILL with an array"),
        ("SUM(1)", "no SUM of a number"),
        ("[a, 1]", "no an array of numbers"),
        ("[a] + [a]", "no '+' between two arrays"),
        ("IF([a], 1, 0)", "no IF with an array"),
        ("SUM([[a], a])", None),
        ("REPEAT + 1", "no REPEAT outside of FILL"),
        ("FILL(REPEAT, 0)", "no REPEAT outside of FILL"),
    ],
)
def test_kinds_that_do_not_fit_are_told(text: str, says: str | None) -> None:
    if says is None:
        assert value(text, {"a": {0: 1.0}}) == {0: 2.0}
        return
    with pytest.raises(ExpressionError, match="Metric math has no") as wrong:
        value(text, {"a": {0: 1.0}})
    assert says in str(wrong.value)


def test_an_expression_knows_what_it_needs() -> None:
    assert expression.ids(parse(SHARE_OF_TWO)) == {"r1", "r2", "e1", "e2"}
    assert expression.ids(parse("-MAX([a, b]) / FILL(c, REPEAT)")) == {"a", "b", "c"}


names = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
numbers = st.floats(0, 1e9, allow_nan=False).map(Number)


def _grown(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    operators = st.sampled_from(["+", "-", "*", "/", "^", "==", "!=", "<", "<=", ">", ">=", "AND", "OR"])
    return st.one_of(
        st.builds(Operation, operators, inner, inner),
        st.builds(Negative, inner),
        st.builds(Array, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Call, st.sampled_from(["SUM", "MAX", "MIN", "AVG"]), st.tuples(inner)),
        st.builds(Call, st.just("FILL"), st.tuples(inner, st.one_of(inner, st.just(Repeat())))),
        st.builds(Call, st.just("IF"), st.one_of(st.tuples(inner, inner), st.tuples(inner, inner, inner))),
    )


trees: st.SearchStrategy[Node] = st.recursive(st.one_of(numbers, names.map(Name)), _grown, max_leaves=12)


def written(node: Node) -> str:
    """A tree as text, with every bracket that could be needed."""
    match node:
        case Number(number):
            text = repr(number)
        case Name(name):
            text = name
        case Repeat():
            text = "REPEAT"
        case Negative(inner):
            text = f"(-{written(inner)})"
        case Operation(name, left, right):
            text = f"({written(left)} {name} {written(right)})"
        case Call(function, arguments):
            text = f"{function}({', '.join(map(written, arguments))})"
        case Array(items):
            text = f"[{', '.join(map(written, items))}]"
    return text


@given(trees)
def test_a_tree_that_is_written_is_read_as_the_same_tree(tree: Node) -> None:
    assert parse(written(tree)) == tree


@given(st.text(alphabet="ab1.,()[]+-*/^<>=&|! AND OR IF FILL REPEAT SUM", max_size=40))
def test_any_text_is_a_tree_or_an_error(text: str) -> None:
    try:
        tree = parse(text)
    except ExpressionError:
        return
    assert parse(written(tree)) == tree


rows = st.dictionaries(st.integers(0, 4), st.floats(-1e6, 1e6, allow_nan=False), max_size=5)


@given(trees, rows, rows)
def test_a_value_is_computed_or_refused_and_a_series_holds_numbers_of_periods_that_are_asked(
    tree: Node, one: Series, other: Series
) -> None:
    known = {name: (one if at % 2 else other) for at, name in enumerate(sorted(expression.ids(tree)))}
    try:
        found = expression.evaluate(tree, known.__getitem__, range(5))
    except ExpressionError:
        return
    for each in found if isinstance(found, tuple) else (found,):
        if isinstance(each, Mapping):
            assert all(at in range(5) and math.isfinite(number) for at, number in each.items())


@given(st.floats(0, 1e4), st.floats(0, 1e4))
def test_the_share_is_between_0_and_100_whenever_errors_are_requests(requests: float, errors: float) -> None:
    [share] = result(SHARE, {"requests": [requests], "errors": [min(errors, requests)]}, 1)
    assert share is not None
    assert 0 <= share <= 100.0001
