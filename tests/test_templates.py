"""Templates of strangers: they reach nothing, and end soon, in an error."""
import resource
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minichat.errors import ModelError, RequestError
from minichat.prompt import Template
from minichat.templates.origin import Text, joined

STATM = Path("/proc/self/statm")
GROW = ("{% set ns = namespace(v=START) %}"
        "{% for i in range(100) %}{% set ns.v = STEP %}{% endfor %}{{ ns.v }}")


def growing(start, step):
    return GROW.replace("START", start).replace("STEP", step)


TOO_MUCH = [
    "{{ 'x' * 10**9 }}", "{{ 10**9 * 'x' }}", "{{ [1] * 10**9 }}", "{{ (2, 3) * 10**9 }}",
    "{{ 10**(10**10) }}", "{{ 2**100000 }}", growing("3", "ns.v * ns.v"),
    growing("'x'", "ns.v + ns.v"), growing("'x'", "ns.v ~ ns.v"),
    growing("'x'", "ns.v.replace('x', 'xx')"), growing("'x'", "ns.v|replace('x', 'xx')"),
    growing("'x'", "[ns.v, ns.v]|join"), growing("'x'", "ns.v.join([ns.v, ns.v])"),
    growing("'x'", "'%s%s' % (ns.v, ns.v)"), growing("'x'", "'%s%s'|format(ns.v, ns.v)"),
    growing("'x'", "'{0}{0}'.format(ns.v)"), growing("'x'", "{'a': [ns.v, ns.v]}|tojson"),
    growing("[]", "[ns.v, ns.v]"), growing("(1,)", "(ns.v, ns.v)"), growing("[1]", "ns.v + ns.v"),
    growing("{}", "{'a': ns.v, 'b': ns.v}"), growing("{}", "dict(a=ns.v, b=ns.v)"),
    growing("[1]", "[ns.v, ns.v]|list"), growing("'x'", "[ns.v, ns.v]|string"),
    "{% set a = [1] %}{% for x in a %}{% set _ = a.append(x) %}{% endfor %}",
    "{% set s = 'x' * 10**6 %}{% set a = [] %}"
    "{% for i in range(10**5) %}{% set _ = a.append(s) %}{% endfor %}{{ a|tojson }}",
    "{% set s = 'x' * 10**6 %}{% set ns = namespace(a=[]) %}"
    "{% for i in range(10**5) %}{% set ns.a = ns.a + [s[1:]] %}{% endfor %}",
    "{% set ns = namespace(v=[]) %}{% for i in range(100) %}{% set w = [] %}"
    "{% set _ = w.append(ns.v) %}{% set _ = w.append(ns.v) %}{% set ns.v = w %}{% endfor %}",
    "{{ 'x'|center(10**9) }}", "{{ 'x'.center(10**9) }}", "{{ 'x'.zfill(10**9) }}",
    "{{ 'x'.ljust(10**9) }}", "{{ '%1000000000d' % 1 }}", "{{ '%.1000000000f' % 1 }}",
    "{{ '%*d' % (10**9, 1) }}", "{{ '%1000000000s'|format('x') }}",
    "{{ '{:1000000000}'.format(1) }}", "{{ '{:{w}}'.format(1, w=10**9) }}",
    "{{ 'a\nb'|indent(10**9) }}", "{{ [1]|tojson(indent=10**9) }}",
    "{{ [1]|tojson(separators=('x' * 100000, ':')) }}", "{{ 1.5|round(10**9, 'ceil') }}",
    "{{ [[1], [2]]|sum(start=[]) }}", "{{ 'a\tb'.expandtabs(10**9) }}",
    "{{ (1).to_bytes(10**9, 'big') }}", "{{ []|slice(10**9)|list }}",
    "{{ []|batch(10**9, 'x')|list }}", "{{ lipsum(n=10**6) }}", "{{ strftime_now('%Y' * 999) }}",
    "{% for i in range(10**9) %}{% endfor %}",
    "{% for i in range(10**5) %}{% for j in range(10**5) %}{% endfor %}{% endfor %}",
    "{% for i in range(10**5) %}{% for j in range(10**5) if false %}{% endfor %}{% endfor %}",
    "{% for i in range(10**5) %}{{ range(10**5)|sort|length }}{% endfor %}",
    "{% for i in range(10**5) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}",
    "{% set x %}{% for i in range(10**5) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endset %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% block a %}{{ self.a() }}{% endblock %}",
    "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{% for x in [1, 1] recursive %}{% if loop.depth < 60 %}{{ loop([1, 1]) }}{% endif %}"
    "{% endfor %}",
    "x" * 300_000, "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "{{ 1" + " + 1" * 50_000 + " }}",
    "{{ x" + ".a" * 50_000 + " }}", "{{ x" + "|list" * 30_000 + " }}", "{{ " + "9" * 10**5 + " }}",
    "{% if 1 %}" * 5000 + "{% endif %}" * 5000, "{{ " + "not " * 20_000 + "1 }}",
]
OUT_OF_REACH = [
    "{{ ''.__class__ }}", "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''|attr('__class__') }}", "{{ messages.__class__ }}", "{{ messages[0].__class__ }}",
    "{{ namespace.__init__.__globals__ }}", "{{ raise_exception.__globals__ }}",
    "{{ dict.__globals__ }}", "{{ cycler.__init__.__globals__.os.popen('id') }}",
    "{{ self.__init__ }}", "{{ joiner.__init__ }}", "{{ '{0.__class__}'.format(1) }}",
    "{{ '{a[__class__]}'.format(a=1) }}", "{{ '{0.__class__}'|format(1) }}{{ ''['__class__'] }}",
    "{{ messages|map(attribute='__class__')|list }}", "{{ messages|map('attr', '__dict__')|list }}",
    "{% set ns = namespace(__class__=1) %}", "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
    "{{ 'x'.encode() }}", "{{ 'x'.format_map({}) }}", "{{ 'x'.translate({}) }}",
    "{{ messages.append(1) }}", "{{ messages[0].update(a=1) }}", "{{ messages[0].pop('role') }}",
    "{{ range.__self__.__import__('os') }}", "{% include 'x' %}", "{% import 'x' as y %}",
    "{% extends 'x' %}", "{% call(x) 5 %}{% endcall %}",
]
WRONG = ["{{", "{%", "{% if %}", "{% endfor %}", "{% for x in y %}", "{% macro a %}", "{% break %}",
         "{% generation %}", "{{ a.b..c }}", "{{ 'x'|none_such }}", "{{ 'x' is none_such }}",
         "{{ x.y.z }}", "{{ 'a' + 1 }}", "{{ 1 / 0 }}", "{% for i in 5 %}{% endfor %}",
         "{{ none_such() }}", "{{ '%s' % () }}", "{{ '%s' % (1, 2) }}", "{{ '%' % 1 }}",
         "{{ '{}'.format() }}"]


def render(source, **kwargs):
    return Template(source, place="its template").render(
        [{"role": "user", "content": "hello"}], **kwargs)


@pytest.fixture(autouse=True)
def little_memory():
    """Half a gigabyte more than there is now, and no more, where that can be known."""
    if not STATM.exists():
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(STATM.read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize("source", [*TOO_MUCH, *OUT_OF_REACH, *WRONG], ids=lambda text: text[:60])
def test_is_an_error_and_soon(source):
    begun = time.thread_time()
    with pytest.raises(ModelError, match="^its template: "):
        render(source)
    assert time.thread_time() - begun < 3


@pytest.mark.parametrize("source", [
    "{{ 1" + " + 1" * 50_000 + " }}", "{{ x" + ".a" * 50_000 + " }}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{% for i in [1] %}" * 150])
def test_needs_no_deep_stack(source):
    errors = []

    def run():
        try:
            render(source)
        except ModelError as error:
            errors.append(error)
    usual = threading.stack_size(1 << 18)
    thread = threading.Thread(target=run)
    thread.start()
    threading.stack_size(usual)
    thread.join()
    assert errors


def test_errors_say_the_line():
    with pytest.raises(ModelError, match="line 3: division by zero"):
        render("a\nb\n{{ 1 / 0 }}")
    with pytest.raises(ModelError, match="line 2: "):
        render("a\n{% if %}")


def test_what_a_template_refuses_is_the_caller_s_error_in_its_own_words():
    with pytest.raises(RequestError, match="messages: .* refuses them: roles must alternate"):
        render("{{ raise_exception('roles must alternate') }}")


def test_a_long_conversation_has_a_long_budget():
    messages = [{"role": "user", "content": "hello " * 2000}] * 500
    source = "{% for m in messages %}{% for n in messages[:9] %}{% set x = n.content|trim %}" \
             "{% endfor %}<{{ m.role }}>{{ m.content.strip() + '\n' }}{% endfor %}"
    assert len(Template(source).render(messages)) == 500 * (len("<user>\n") + 11_999)


def test_lists_can_be_appended_to_and_the_caller_s_are_not():
    source = "{% set a = [] %}{% for m in messages %}{% set _ = a.append(m) %}{% endfor %}" \
             "{{ a|length }}{{ a[0].content }}{% set b = messages[0:] %}{% set _ = b.pop() %}" \
             "{{ b|length }}{{ messages|length }}"
    messages = [{"role": "user", "content": "x"}] * 2
    assert Template(source).render(messages) == "2x12"
    assert len(messages) == 2


@pytest.mark.parametrize("source, text", [
    ("{{ {'a': 'é<', 'b': [1, none]}|tojson }}", '{"a": "é<", "b": [1, null]}'),
    ("{{ {'b': 1, 'a': 'é'}|tojson(ensure_ascii=true, sort_keys=true) }}",
     '{"a": "\\u00e9", "b": 1}'),
    ("{{ [1]|tojson(indent=1) }}{{ [1, 2]|tojson(separators=(',', ':')) }}", "[\n 1\n][1,2]"),
    ("{{ ('{\"a\": [1]}'|from_json).a[0] }}", "1"),
    ("{% for i in [1, 2, 3] %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% endfor %}", "13"),
    ("{% generation %}{{ 'a' }}{% endgeneration %}", "a"),
    ("{{ '%s is %d%%, %(x)s' % {'x': 1} if false else '%s: %.2f%%' % ('a', 1.5) }}", "a: 1.50%"),
    ("{{ '%(x)s'|format(x='y') }}{{ '%5s|%-3d|'|format('a', 2) }}", "y    a|2  |"),
    ("{{ '{} {1} {a.b} {c[0]:>3}{{}}'.format(1, a={'b': 2}, c=['x']) }}", None),
    ("{{ '{} {a.b} {c[0]:>3}{{}}'.format(1, a={'b': 2}, c=['x']) }}", "1 2   x{}"),
    ("{{ ['a', 1, none]|join('-') }}{{ '<a>'|e }}", "a-1-None&lt;a&gt;"),
    ("{{ 'a\nb'|indent(2) }}", "a\n  b"),
    ("{{ [1, 2]|sum }}{{ 1.25|round(1) }}{{ [3, 1]|sort|first }}{{ 'ab'[::-1] }}", "31.21ba"),
    ("{{ dict(a=1).items()|list }}{{ (1, 2) }}{{ [1] + [2] }}", "[('a', 1)](1, 2)[1, 2]"),
    ("{{ 'a,b'.split(',') }}{{ ' x '.strip() ~ 1 ~ none }}", "['a', 'b']x1None"),
    ("{% set x %}a{{ 1 }}{% endset %}{{ x * 2 }}{% set c = cycler(1, 2) %}{{ c.next() }}", "a1a11"),
    ("{% macro f(x) %}{{ caller(x) }}{% endmacro %}{% call(y) f(1) %}{{ y }}{% endcall %}", "1"),
    ("{{ strftime_now('%Y') | length }}{{ undefined_thing }}{{ undefined_thing is defined }}",
     "4False"),
])
def test_what_templates_use_works(source, text):
    if text is None:
        with pytest.raises(ModelError):
            render(source)
    else:
        assert render(source) == text


PIECES = st.lists(st.tuples(st.text("ab \n<|>", max_size=4), st.booleans()), max_size=5)
OPERATIONS = [
    lambda text: text.strip(), lambda text: text.lstrip(" <"), lambda text: text.rstrip("\n"),
    lambda text: text[1:3], lambda text: text[-2:], lambda text: text[0:1] + text,
    lambda text: text[:0].join(text.split("a")), lambda text: text[:0].join(text.rsplit("a", 1)),
    lambda text: text[:0].join(text.split()), lambda text: text[:0].join(text.splitlines(True)),
    lambda text: text.partition("<")[2], lambda text: text.rpartition("|")[0],
    lambda text: text.replace("a", "b"), lambda text: text.swapcase().swapcase(),
    lambda text: text * 2,
    lambda text: text.removeprefix("a"), lambda text: text.removesuffix("b"),
    lambda text: "x" + text, lambda text: text + text.by_template("y"),
    lambda text: text.join(["p", text.by_template("q"), "r"]),
]


@pytest.mark.parametrize("first", OPERATIONS)
@given(pieces=PIECES, then=st.sampled_from(OPERATIONS))
def test_texts_compute_as_strings_and_know_their_origin(first, pieces, then):
    # the template writes capital letters only: whatever happens, they stay its own
    text = joined([Text.by_template(piece.replace("a", "Q").replace("b", "Z")) if own
                   else Text(piece) for piece, own in pieces])
    plain = str.__str__("".join(text))
    text, plain = then(first(text)), then(_Plain(first(_Plain(plain))))
    assert text == plain
    assert all(start < end for start, end in text.written)
    own = {at for start, end in text.written for at in range(start, end)}
    assert own.isdisjoint(at for start, end in text.plain for at in range(start, end))
    assert all((at in own) for at, letter in enumerate(text) if letter in "QZ")
    assert not any((at in own) for at, letter in enumerate(text) if letter in "ab")


class _Plain(str):
    """A string with the one method that Text has beyond those of str."""
    by_template = str
