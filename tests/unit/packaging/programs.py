"""The programs in packaging/, which have no .py in their names, as modules."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[3]
PACKAGING = ROOT / "packaging"


def load(name: str) -> ModuleType:
    """Return the program as a module; it finds its neighbours as it does when it is run."""
    loader = importlib.machinery.SourceFileLoader(f"packaging_{name.replace('-', '_')}", str(PACKAGING / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    sys.modules[loader.name] = module  # dataclasses look their module up there
    sys.path.insert(0, str(PACKAGING))
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        loader.exec_module(module)
    finally:
        sys.path.remove(str(PACKAGING))
        sys.dont_write_bytecode = before
    return module
