"""Generated pages: what a reader is shown of a wrong answer."""

from proving.pages import _difference

SOLUTION = '''def guard(who):
    """Open for staff."""
    if who not in STAFF:
        raise Closed(who)
    return till(who)


LIMIT = 3'''


def test_a_wrong_answer_is_shown_by_the_lines_that_differ() -> None:
    answer = SOLUTION.replace("not in STAFF", "!= 'ada'").replace("LIMIT = 3", "LIMIT = 4")
    assert _difference(SOLUTION, answer).split("\n") == [
        "",
        "",
        "````{ .diff .no-copy }",
        "-     if who not in STAFF:",
        "+     if who != 'ada':",
        "  …",
        "- LIMIT = 3",
        "+ LIMIT = 4",
        "````",
        "",
    ]


def test_no_docstring_is_a_difference() -> None:
    answer = SOLUTION.replace('    """Open for staff."""\n', "")
    assert _difference(SOLUTION, answer) == ""
    assert "Open" not in _difference(SOLUTION, answer.replace("LIMIT = 3", "LIMIT = 4"))


def test_an_answer_that_is_right_or_altogether_different_shows_nothing() -> None:
    assert _difference(SOLUTION, SOLUTION) == ""
    assert _difference(SOLUTION, "\n".join(f"a = {n}" for n in range(20))) == ""
