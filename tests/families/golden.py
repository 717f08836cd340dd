"""The checkpoints under golden/, and what transformers said to them."""
import json
from functools import cache
from pathlib import Path

from safetensors.numpy import load_file

from minichat import families
from minichat.checkpoint import Checkpoint, open_weights

FOLDERS = sorted(path for path in Path(__file__).parent.glob("golden/*") if path.is_dir())
ROPES = json.loads((Path(__file__).parent / "golden/rope.json").read_text())
CONFIGS = {path.name: json.loads((path / "config.json").read_text()) for path in FOLDERS}


def checkpoint(folder):
    """Returns what Checkpoint.open makes of a folder that has a tokenizer too."""
    shards, tensors = open_weights(folder)
    return Checkpoint(folder, CONFIGS[folder.name], {}, {}, folder / "tokenizer.json", None,
                      tensors, shards)


@cache
def expected(folder):
    """Returns ids, and a dictionary: position -> logits after ids[:position + 1]."""
    found = load_file(folder / "expected.safetensors")
    return found["ids"].tolist(), dict(zip(found["positions"].tolist(), found["logits"],
                                           strict=True))


def read(folder):
    """Returns the family and the architecture."""
    family = families.family(folder.name)
    return family, family.architecture(CONFIGS[folder.name])
