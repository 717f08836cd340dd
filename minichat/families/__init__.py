"""One file per family, named after config.json's model_type.

Adding one is adding a file here and one in tests/families; nothing else.
"""
from importlib import import_module
from pkgutil import iter_modules

from ..errors import Unsupported
from .spec import Family

SHARED = {"config", "rope", "spec"}     # modules here that are no family
ALIASES: dict[str, str] = {}            # model_types that need no file of their own


def names() -> list[str]:
    """Returns the families there is a file for."""
    return sorted(m.name for m in iter_modules(__path__) if m.name not in SHARED)


def family(model_type: str) -> Family:
    """Returns the family of a config.json's model_type."""
    name = ALIASES.get(model_type, model_type)
    if name not in names():
        raise Unsupported(f"config.json: model_type: {model_type!r}; "
                          f"minichat runs {', '.join(sorted({*names(), *ALIASES}))}")
    found: Family = import_module(f".{name}", __package__).FAMILY
    return found
