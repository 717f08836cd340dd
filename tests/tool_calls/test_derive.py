"""Templates of models that nobody described: the marks are read off what they write."""
import pytest

from minichat.prompt import Template
from minichat.tool_calls import origin
from minichat.tool_calls.derive import derive
from minichat.tool_calls.format import Call
from minichat.tool_calls.named import Named
from minichat.tool_calls.objects import Objects
from minichat.tool_calls.pythonic import Pythonic
from minichat.tool_calls.tagged import Tagged

from .texts import parsed

AROUND = """{% if tools %}[can] {{ tools | tojson }}
{% endif %}{% for m in messages %}{% if m.role == 'assistant' %}[says] {{ m.content }}
{%- if m.tool_calls %}CALLS{% endif %}[over]
{% else %}[asks] {{ m.content }}[over]
{% endif %}{% endfor %}{% if add_generation_prompt %}[says] {% endif %}"""
EACH = "{% for c in m.tool_calls %}{% set f = c.function %}CALL{% endfor %}"
LISTED = "[do]" + EACH.replace("CALL", "{{ ', ' if not loop.first }}CALL") + "[done]"
NAME, ARGUMENTS = "{{ f.name }}", "{{ f.arguments | tojson }}"
PAIRS = "{% for k, v in f.arguments.items() %}PAIR{% endfor %}"
OBJECT = '{"op": "{{ f.name }}", "with": {{ f.arguments | tojson }}}'
PYTHON = ("{{ f.name }}({% for k, v in f.arguments.items() %}{{ ', ' if not loop.first }}"
          "{{ k }}={{ v | tojson }}{% endfor %})")
BARE = ("act:{{ f.name }}{ {%- for k, v in f.arguments.items() %}{{ ',' if not loop.first }}"
        "{{ k }}:{% if v is string %}~~{{ v }}~~{% else %}{{ v }}{% endif %}{% endfor -%} }")


def template(calls):
    return Template(AROUND.replace("CALLS", calls))


TEMPLATES = {
    "objects in tags": (EACH.replace("CALL", f"<<do>>\n{OBJECT}\n<<done>>\n"), Objects),
    "a list": (LISTED.replace("[do]", "[do][").replace("[done]", "][done]").replace("CALL", OBJECT),
               Objects),
    "nested": (EACH.replace("CALL", '<do>{"id": 7, "function": ' + OBJECT + "}</do>"), Objects),
    "names are keys": (
        EACH.replace("CALL", '<do>{"{{ f.name }}": {{ f.arguments | tojson }}}</do>'), Objects),
    "bare": (EACH.replace("CALL", OBJECT), Objects),
    "named": ("<do>" + EACH.replace("CALL", f"<to>{NAME}</to>\n<of>{ARGUMENTS}</of>\n") + "</do>",
              Named),
    "named, with ids": (
        EACH.replace("CALL", f"<do>{NAME}:{{{{ loop.index }}}}<with>{ARGUMENTS}</do>"), Named),
    "Gemma's": (EACH.replace("CALL", f"<do|{BARE}|do>"), Named),
    "tags": (EACH.replace("CALL", f"<do>\n<op={NAME}>\n" + PAIRS.replace(
        "PAIR", "<in={{ k }}>\n{{ v }}\n</in>\n") + "</op>\n</do>\n"), Tagged),
    "tags in all": ("<do>\n" + EACH.replace("CALL", f'<op name="{NAME}">' + PAIRS.replace(
        "PAIR", '<in name="{{ k }}">{{ v }}</in>') + "</op>\n") + "</do>", Tagged),
    "pairs": (EACH.replace("CALL", f"<do>{NAME}\n" + PAIRS.replace(
        "PAIR", "<k>{{ k }}</k>\n<v>{{ v }}</v>\n") + "</do>\n"), Tagged),
    "types": (EACH.replace("CALL", f'<do to="{NAME}">' + PAIRS.replace(
        "PAIR", '<in name="{{ k }}" text="{{ v is string }}">{{ v }}</in>') + "</do>"), Tagged),
    "Python": (LISTED.replace("[do]", "<do>[").replace("[done]", "]</do>").replace("CALL", PYTHON),
               Pythonic),
    "Python in lines": ("<do>\n" + EACH.replace("CALL", PYTHON + "\n") + "</do>", Pythonic),
}
NASTY = (Call("count_plover", {"first_place": "a \"b\" 'c' <d> {e}\n[f] é", "how_many": -3}),
         Call("find_plover", {"how_many": 0}), Call("other", {}))


@pytest.mark.parametrize("name", TEMPLATES)
def test_any_template_will_do(name):
    source, body = TEMPLATES[name]
    made = template(source)
    format = origin.written(made)
    assert isinstance(format.body, body)
    asked = origin.render(made, [origin.ASKED], add_generation_prompt=True)
    answer = origin.said(made, NASTY, asked, asked)
    calls = list(NASTY[:2] if name == "bare" else NASTY)     # without marks the third is undeclared
    assert parsed(format, [answer], origin.TOOLS)[:len(calls)] == calls
    text = f"I see.\n{answer.removesuffix('[over]' + chr(10))}"
    if name != "bare":
        assert parsed(format, text, origin.TOOLS) == ["I see.", *calls]


@pytest.mark.parametrize("calls", [
    "", "{{ raise_exception('no calls') }}", "I call {{ m.tool_calls[0].function.name }}.",
    EACH.replace("CALL", "{{ f.name }} {{ f.arguments | length }}"),
    EACH.replace("CALL", "{{ f.arguments | tojson }}"),
    EACH.replace("CALL", "{{ f.name }} first_place Ulvik how_many 4172"),
])
def test_what_cannot_be_read_off_is_not(calls):
    assert origin.written(template(calls)) is None


@pytest.mark.parametrize("one", ["", "find_plover", "find_plover{", "find_plover(", "{find_plover}",
                                 "find_plover first_place Ulvik how_many 4172", "{" * 1000])
def test_odd_texts_do_no_harm(one):
    assert derive(one, None, origin.CALLS, "") is None
    assert derive(one, one, origin.CALLS, "") is None
