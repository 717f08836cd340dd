"""From a model's name to its folder: the box, a path, a folder here, the Hugging Face cache.

Nothing is downloaded and the network is never asked.
"""
import os
import re
from pathlib import Path

from .errors import ModelNotFound, RequestError

IN_THE_BOX = {"nano": Path(__file__).parent / "nano"}       # comes with the package
REPOSITORY = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", re.ASCII)


def resolve(model: str) -> Path:
    """Returns the folder that a model's name stands for.

    "nano" is the model in the box; a folder of that name is ./nano.  A name with a separator,
    or starting with . or ~, is a path, or else a repository of the Hub in its cache
    ("org/name"); any other is a folder here, or else in that cache.
    Raises ModelNotFound, which says where was looked.
    """
    if not model.strip():
        raise RequestError("model: empty; must be a folder or a name", error="model is required")
    if model in IN_THE_BOX:
        return IN_THE_BOX[model]
    looked = []
    try:
        path = Path(model).expanduser()
        if path.is_dir():
            return path
        looked.append(f"no folder {path}")
        if REPOSITORY.fullmatch(model):
            repository = hub_cache() / f"models--{model.replace('/', '--')}"
            if snapshot := main_snapshot(repository):
                return snapshot
            looked.append(f"no complete download in {repository}")
    except (OSError, RuntimeError, ValueError) as e:     # too long, no such user, a zero byte
        looked.append(str(getattr(e, "strerror", None) or e))
    raise ModelNotFound(f"{model!r}: {', '.join(looked)}; give a model's folder, or download it "
                        f"first: hf download {model if '/' in model else 'ORG/NAME'}; "
                        "or try nano, the model in the box",
                        error=f"model '{model}' not found")


def hub_cache() -> Path:
    """Returns where the Hugging Face tools keep downloaded models."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("HF_HOME") or f"{base}/huggingface").expanduser() / "hub"


def main_snapshot(repository: Path) -> Path | None:
    """Returns the folder that the main branch of a repository in that cache stands at."""
    try:
        revision = (repository / "refs" / "main").read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    snapshot = repository / "snapshots" / revision
    return snapshot if re.fullmatch(r"[\w-]+", revision) and snapshot.is_dir() else None
