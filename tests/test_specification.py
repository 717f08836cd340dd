"""The published page's own request, as it stands there, gives objects of the shape that it shows:
by curl and by Python, streamed and not."""
import json
import shutil
import subprocess
from datetime import datetime

import pytest

import minichat
from minichat import hub

from .served import served

REQUEST = """{
  "model": "llama3.2",
  "messages": [
    {
      "role": "user",
      "content": "why is the sky blue?"
    },
    {
      "role": "assistant",
      "content": "due to rayleigh scattering."
    },
    {
      "role": "user",
      "content": "how is that different than mie scattering?"
    }
  ]
}"""
PIECE = json.loads("""{
  "model": "llama3.2",
  "created_at": "2023-08-04T08:52:19.385406455-07:00",
  "message": {
    "role": "assistant",
    "content": "The",
    "images": null
  },
  "done": false
}""")
LAST = json.loads("""{
  "model": "llama3.2",
  "created_at": "2023-08-04T19:22:45.499127Z",
  "done": true,
  "total_duration": 4883583458,
  "load_duration": 1334875,
  "prompt_eval_count": 26,
  "prompt_eval_duration": 342546000,
  "eval_count": 282,
  "eval_duration": 4535599000
}""")
# What the endpoint has come to send beside.
LATER = {"message": PIECE["message"], "done_reason": "stop", "prompt_eval_cached_count": 5}


def by_curl(url, request):
    curl = shutil.which("curl")
    if not curl:
        pytest.skip("no curl: IT IS NOT TESTED")
    said = subprocess.run([curl, "-sS", "--noproxy", "*", f"{url}/api/chat", "-d", request],
                          text=True, capture_output=True, timeout=60, check=True)
    return [json.loads(line) for line in said.stdout.splitlines()]


def by_python(url, request):
    made = minichat.chat(**json.loads(request))
    return [made] if isinstance(made, minichat.Chunk) else list(made)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """Where a server has a model of the page's name; that name is a folder here, too."""
    pytest.importorskip("uvicorn", reason="no uvicorn: THE PAGE'S REQUEST IS NOT SENT")
    from minichat import asgi

    folder = tmp_path_factory.mktemp("models")
    (folder / "llama3.2").symlink_to(hub.resolve("nano"))
    with served(asgi.create_app(folders=[folder])) as url, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield url


def shape(made):
    """Keys and types, all the way down; a time is one with its zone."""
    if isinstance(made, dict):
        return {key: shape(value) for key, value in made.items()}
    if isinstance(made, str) and made[:2] == "20":
        return datetime.fromisoformat(made).tzinfo is not None
    return type(made)


@pytest.mark.parametrize("ask", [by_curl, by_python])
def test_a_stream(url, ask):
    *pieces, last = ask(url, REQUEST)
    assert len(pieces) > 5 and all(shape(each) == shape(PIECE) for each in pieces)
    assert shape(last) == shape(LAST | LATER) and last["done"] and not last["message"]["content"]
    assert {each["model"] for each in (*pieces, last)} == {"llama3.2"}
    parts = [last[f"{part}_duration"] for part in ("load", "prompt_eval", "eval")]
    assert min(parts) >= 0 and sum(parts) <= last["total_duration"]


@pytest.mark.parametrize("ask", [by_curl, by_python])
def test_one_object(url, ask):
    request = json.dumps(json.loads(REQUEST) | {"stream": False, "options": {"temperature": 0}})
    [whole] = ask(url, request)
    assert shape(whole) == shape(LAST | LATER) and whole["done"] and whole["message"]["content"]
    assert whole["message"] == by_python(url, request)[0]["message"]
