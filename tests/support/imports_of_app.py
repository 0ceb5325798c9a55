"""Imports all that app.py imports, for forked.py, but not the app, which reads settings.

And compiles its templates.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib

from tests.support import ROOT
from web.render import environment

for _node in ast.parse((ROOT / "app.py").read_text()).body:
    if isinstance(_node, ast.ImportFrom) and _node.module:
        importlib.import_module(_node.module)
        for _name in _node.names:  # of a package, such as `from routes import home`
            with contextlib.suppress(ModuleNotFoundError):  # something in the module
                importlib.import_module(f"{_node.module}.{_name.name}")
    elif isinstance(_node, ast.Import):
        for _name in _node.names:
            importlib.import_module(_name.name)

# What is imported by name when uvicorn starts.
for _late in ("uvicorn.loops.uvloop", "uvicorn.protocols.http.httptools_impl", "web.socket.direct"):
    importlib.import_module(_late)

# Each server would compile what it shows, and that takes longer than to show it.
for _template in environment.list_templates():
    environment.get_template(_template)

# A fork's collector would touch, and so copy, all that was made here.
gc.collect()
gc.freeze()
