"""Fixtures for all tests: the folder of real models, which is not part of the repository."""
import os
import sys
from pathlib import Path

import pytest

# Tests import benchmarks too; last, because minichat is the installed one.
sys.path.append(str(Path(__file__).parent.parent))


def real_models() -> Path:
    """Returns the folder of real models; skips, loudly, where there is none."""
    folder = os.environ.get("MINICHAT_TEST_MODELS")
    if not folder:
        pytest.skip("MINICHAT_TEST_MODELS is not set: NOTHING OF REAL MODELS IS TESTED")
    path = Path(folder)
    assert path.is_dir(), f"MINICHAT_TEST_MODELS: no folder {path}"
    return path


@pytest.fixture(scope="session")
def models() -> Path:
    return real_models()


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Packed weights of tests go to a folder of the session, never to the user's cache."""
    monkeypatch.setenv("MINICHAT_CACHE", str(tmp_path_factory.getbasetemp() / "packed"))
