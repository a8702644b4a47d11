"""The exercises' checks: each prints a verdict with a helpful message, and never raises.

checks/ch07.py has the checks of chapter 07. A check is a function of the reader's answer. It ends normally if the
answer is right, and fails an `assert condition, message` if it is not:

    @exercise("7.1")
    def ex_7_1(bpp):
        assert bpp(125, (10, 100)) == 1, "125 bytes are 1000 bits: on 1000 pixels that is 1 bpp"

`ex_7_1(answer)` prints one of

    Exercise 7.1: correct
    Exercise 7.1: not yet: 125 bytes are 1000 bits: on 1000 pixels that is 1 bpp
    Exercise 7.1: not attempted yet          (the answer still returns the `...` of the stub)
"""

import functools
import traceback
from collections.abc import Callable


class _Verdict(Exception):
    """Ends a check before its own assertions do; the message is printed."""


def exercise(number: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator that makes a check print its verdict. number: of the exercise, such as "7.1"."""

    def decorate(check: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(check)
        def checked(*answers: object) -> None:
            print(f"Exercise {number}: {_verdict(check, answers)}")

        return checked

    return decorate


def _verdict(check, answers):
    try:
        check(*map(_watched, answers))
    except _Verdict as verdict:
        return str(verdict)
    except AssertionError as error:
        return f"not yet: {error}"
    except Exception as error:  # the check could not make sense of what it was given
        return f"not yet: the result cannot be used ({type(error).__name__}: {error})"
    return "correct"


def _watched(answer):
    """The reader's function, but a stub, a missing return and an error in it end the check with a verdict."""
    if answer is ...:
        raise _Verdict("not attempted yet")
    if not callable(answer):
        return answer

    @functools.wraps(answer)
    def watched(*args, **kwargs):
        try:
            result = answer(*args, **kwargs)
        except Exception as error:
            raise _Verdict(f"not yet: {_describe(error, answer)}") from None
        if result is ... or (isinstance(result, tuple) and any(value is ... for value in result)):
            raise _Verdict("not attempted yet")
        if result is None:
            raise _Verdict(f"not yet: {answer.__name__} returns nothing; does it end in a return?")
        return result

    return watched


def _describe(error, answer):
    """An error in the reader's own code, with the last line of their cell that it passed through."""
    text = f"{answer.__name__} stops with {traceback.format_exception_only(error)[-1].strip()}"
    code = getattr(answer, "__code__", None)
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if code and f.filename == code.co_filename]
    return f"{text} (line {lines[-1]} of its cell)" if lines else text
