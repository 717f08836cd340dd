"""Python in a process of its own, on the installed package: the checkout may shadow it."""
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def python(code: str, *arguments: object) -> list[str]:
    """Returns the command that runs code; it can import `tests` too."""
    path = f"import sys; sys.path.append({str(ROOT)!r})\n"
    return [sys.executable, "-P", "-c", path + code, *map(str, arguments)]
