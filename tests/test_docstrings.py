"""minichat/docstrings.py: three styles, and what people make of them."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minichat.docstrings import Docstring, docstring


def google():
    """Tells the weather.

    Asks a service that knows.

    Args:
        city: The town, and
            its country.
        days (int, optional): How many days: at most ten.
        unit (Callable[[int], str]): Of
          the temperature.

    Returns:
        What it will be.
    """


def numpy():
    """
    Tells the weather.

    Asks a service that knows.

    Parameters
    ----------
    city : str
        The town, and
        its country.
    days : int, default: 3
        How many days: at most ten.
    unit : {'celsius', 'kelvin'}
        Of

        the temperature.

    Returns
    -------
    str
        What it will be.

    Notes
    -----
    city : not this one
    """


def sphinx():
    """Tells the weather.

    Asks a service that knows.

    :param city: The town, and
        its country.
    :param int days: How many days: at most ten.
    :type city: str
    :parameter unit: Of
    the temperature.
    :returns: What it will be,
        city or not.
    :rtype: str

    More.
    """


@pytest.mark.parametrize("made", [google, numpy, sphinx])
def test_styles_of_docstrings(made):
    assert docstring(made.__doc__, ["city", "days", "unit"]) == Docstring(
        "Tells the weather.\n\nAsks a service that knows.",
        {"city": "The town, and its country.", "days": "How many days: at most ten.",
         "unit": "Of the temperature."})


@pytest.mark.parametrize("text, description, parameters", [
    ("", "", {}),
    ("Adds.", "Adds.", {}),
    ("Returns the sum: a and b.", "Returns the sum: a and b.", {}),
    ("Adds.\nReturns: the sum", "Adds.", {}),
    ("Adds.\n\nNote: slowly.\n\nArgs:\n    a: x", "Adds.\n\nNote: slowly.", {"a": "x"}),
    ("Adds.\n\nArgs:\n    a:\n        The one\n\n        and only\n    c: unknown\n    b: x",
     "Adds.", {"a": "The one and only", "b": "x"}),
    ("Adds.\n\nArgs:\na: x\nb (int): y\nReturns:\na: z", "Adds.", {"a": "x", "b": "y"}),
    ("Adds.\n\nArgs:\n    a: x\n    of which\n    b: y", "Adds.", {"a": "x of which", "b": "y"}),
    ("Adds.\n\nArgs:\n    a: x\n\nNote:\n    b: not this", "Adds.", {"a": "x"}),
    ("Adds.\n\nArguments:\n    a: x\nKeyword Args:\n    b: y", "Adds.", {"a": "x", "b": "y"}),
    ("Adds.\n\nExample:\n    add(1)\n\nArgs:\n    *a: x\n    **b: y", "Adds.",
     {"a": "x", "b": "y"}),
    ("Adds.\n\nArgs:\n    a: x\n    a: again", "Adds.", {"a": "x"}),
    ("Adds.\n\nParameters\n----------\na, b : int\n    Both.\n", "Adds.",
     {"a": "Both.", "b": "Both."}),
    ("Adds.\n\nParameters\n----------\na\n    One.\nc\n    None.\n*b\n    Two.", "Adds.",
     {"a": "One.", "b": "Two."}),
    ("Adds.\n\nRaises\n------\nError\n    a : x", "Adds.", {}),
    ("Adds :class:`int`.\n\n:mod:`math` helps.\n\n:param a: x\n:keyword str b: y",
     "Adds :class:`int`.\n\n:mod:`math` helps.", {"a": "x", "b": "y"}),
    ("Adds.\n\n:return: a\n:raises Error: b", "Adds.", {}),
    ("Adds.\n\n:param a: x\n\nMore of it.\n:param b: y", "Adds.", {"a": "x", "b": "y"}),
    ("Adds.\n\n:param:", "Adds.\n\n:param:", {}),
])
def test_docstrings(text, description, parameters):
    assert docstring(text, ["a", "b"]) == Docstring(description, parameters)


PIECES = ["Args:", "Parameters", "-----", ":param a: x", ":returns: y", "a: x", "a : int", "",
          "    a: x", "        y", "Returns:", "word", "    Args:", "---", ":", "    "]


@given(st.lists(st.sampled_from(PIECES), max_size=10))
def test_any_docstring_can_be_read(lines):
    read = docstring("\n".join(lines), ["a"])
    assert set(read.parameters) <= {"a"}
    assert read.description == read.description.strip()
