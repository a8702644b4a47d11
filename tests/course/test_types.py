"""The public API is fully typed, as an import sees it; `make lint` checks the types themselves."""

import importlib
import inspect
from pathlib import Path

import pytest

import nctutorial

PACKAGE = Path(nctutorial.__file__).parent
MODULES = sorted(".".join(p.relative_to(PACKAGE).with_suffix("").parts) for p in PACKAGE.rglob("[!_]*.py"))


def public_functions(module):
    """Functions, and methods with their class's constructor, that are defined in a module under a public name."""
    for name, thing in vars(module).items():
        if name[0] == "_" or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(thing):
            for method, value in vars(thing).items():
                if method == "__init__" or method[0] != "_":
                    value = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
                    value = getattr(value, "func", value)  # a cached property
                    if inspect.isfunction(value) and value.__module__ == module.__name__:
                        yield f"{name}.{method}", inspect.unwrap(value)
        elif callable(thing):
            yield name, inspect.unwrap(thing)


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_is_fully_typed(name):
    module = importlib.import_module(f"nctutorial.{name}")
    functions = dict(public_functions(module))
    assert functions
    missing = []
    for function, value in functions.items():
        signature = inspect.signature(value)
        parameters = [p for p in signature.parameters.values() if p.name != "self" and p.name != "cls"]
        missing += [f"{function}({p.name})" for p in parameters if p.annotation is p.empty]
        if signature.return_annotation is signature.empty and not function.endswith(".__init__"):
            missing.append(f"{function} -> ?")
    assert missing == []


def test_what_the_package_exports_is_found():
    from nctutorial import codec as models
    from nctutorial.codec import base, factorized

    assert {"load_codec", "decompress"} <= {name for name, _ in public_functions(models)}
    names = {name for module in (base, factorized) for name, _ in public_functions(module)}
    assert {"Codec.compress", "Codec.load", "Codec.sha256", "Codec.fingerprint", "FactorizedCodec.__init__"} <= names
