"""Checks of the exercises: they print a verdict and a helpful message, and never raise.

A chapter's checks, notebooks/checks/ch07.py say, are functions of the reader's answer that end normally if it is
right and otherwise fail an `assert condition, message`:

    @exercise("7.1")
    def ex_7_1(bpp):
        assert bpp(125, (10, 100)) == 1, "125 bytes are 1000 bits: on 1000 pixels that is 1 bpp"

`ex_7_1(answer)` then prints "Exercise 7.1: correct", "Exercise 7.1: not yet: ...", or, while the answer still
returns the `...` of the stub, "Exercise 7.1: not attempted yet".
"""

import functools
import traceback
from collections.abc import Callable


class _Stop(Exception):
    """The reader's function cannot be checked further; the message is the verdict."""


def exercise(number: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator: make a checking function print its verdict. number: of the exercise, such as "7.1"."""

    def decorate(check: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(check)
        def checked(*answers: object) -> None:
            print(f"Exercise {number}: {_verdict(check, answers)}")

        return checked

    return decorate


def _verdict(check, answers):
    try:
        check(*map(_watched, answers))
    except _Stop as stop:
        return str(stop)
    except AssertionError as error:
        return f"not yet: {error}"
    except Exception as error:  # the check could not make sense of what it was given
        return f"not yet: the result cannot be used ({type(error).__name__}: {error})"
    return "correct"


def _watched(answer):
    """The reader's function, except that a stub, a missing return and an error end the check with their own verdict."""
    if answer is ...:
        raise _Stop("not attempted yet")
    if not callable(answer):
        return answer

    @functools.wraps(answer)
    def watched(*args, **kwargs):
        try:
            result = answer(*args, **kwargs)
        except Exception as error:
            raise _Stop(f"not yet: {_where(answer, error)}") from None
        if result is ... or (isinstance(result, tuple) and any(part is ... for part in result)):
            raise _Stop("not attempted yet")
        if result is None:
            raise _Stop(f"not yet: {answer.__name__} returns nothing; does it end in a return?")
        return result

    return watched


def _where(answer, error):
    """What went wrong in the reader's own code, with the line of the function it happened in."""
    text = f"{answer.__name__} stops with {traceback.format_exception_only(error)[-1].strip()}"
    code = getattr(answer, "__code__", None)
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if code and f.filename == code.co_filename]
    return f"{text} (line {lines[-1]} of its cell)" if lines else text
