"""fit.py: which messages stay."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minichat.errors import ModelError, RequestError
from minichat.fit import fit, units
from minichat.request import Message


def chat(*roles):
    return [Message(role, f"{i}") for i, role in enumerate(roles)]


def said(messages):
    return [int(m.content) for m in messages]


def test_everything_stays_where_it_fits():
    messages = chat("system", "user", "assistant", "user")
    assert fit(messages, len, 4) == (messages, 0)


def test_the_oldest_go_first_and_system_messages_stay():
    messages = chat("system", "user", "assistant", "user", "system", "assistant", "user")
    kept, dropped = fit(messages, len, 5)
    assert said(kept) == [0, 3, 4, 5, 6] and dropped == 2


def test_a_tool_call_goes_with_its_results():
    messages = chat("user", "assistant", "tool", "tool", "assistant", "user")
    kept, dropped = fit(messages, len, 4)
    assert said(kept) == [4, 5] and dropped == 4


def test_everything_from_the_last_user_message_on_stays():
    messages = chat("user", "assistant", "user", "assistant", "tool")
    with pytest.raises(RequestError) as failed:
        fit(messages, len, 2)
    assert failed.value.error == "the input length exceeds the context length"
    assert "3 tokens" in str(failed.value)


def test_without_truncate_nothing_goes():
    with pytest.raises(RequestError, match="3 tokens; num_ctx leaves 2"):
        fit(chat("user", "assistant", "user"), len, 2, truncate=False)


def test_what_the_template_refuses_is_not_taken():
    def count(messages):
        if messages[0].role == "assistant":
            raise ModelError("conversations begin with the user")
        return len(messages)

    kept, dropped = fit(chat("user", "assistant", "user", "assistant", "user"), count, 4)
    assert said(kept) == [2, 3, 4] and dropped == 2


@given(st.lists(st.sampled_from(["system", "user", "assistant", "tool"]), min_size=1, max_size=12),
       st.lists(st.integers(0, 5), min_size=12, max_size=12), st.integers(0, 40))
def test_drops_as_little_as_it_can(roles, sizes, limit):
    messages = chat(*roles)

    def count(some):
        return sum(sizes[int(m.content)] for m in some)

    try:
        kept, dropped = fit(messages, count, limit)
    except RequestError:
        return
    assert count(kept) <= limit and dropped == len(messages) - len(kept)
    assert [m for m in kept if m.role == "system"] == [m for m in messages if m.role == "system"]
    gone = [i for i in range(len(messages)) if i not in said(kept)]
    groups = units(messages)
    dropped_groups = [group for group in groups if group[0] in gone]
    assert dropped_groups == groups[:len(dropped_groups)] and sum(dropped_groups, []) == gone
    if gone:
        assert count(kept) + count([messages[i] for i in dropped_groups[-1]]) > limit
