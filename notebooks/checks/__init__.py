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

and returns it, as a Verdict, for whoever marks many answers.
"""

import functools
import traceback
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """What a check says of an answer. It is true if the answer is correct."""

    number: str  # of the exercise
    text: str  # "correct", "not attempted yet" or "not yet: ..."

    def __bool__(self) -> bool:
        return self.text == "correct"

    def __str__(self) -> str:
        return f"Exercise {self.number}: {self.text}"

    def _ipython_display_(self) -> None:
        """Nothing: the check has printed it already."""


class _Ended(Exception):
    """Ends a check before its own assertions do; the message is printed."""


def exercise(number: str) -> Callable[[Callable[..., None]], Callable[..., Verdict]]:
    """Decorator that makes a check print and return its verdict. number: of the exercise, such as "7.1"."""

    def decorate(check: Callable[..., None]) -> Callable[..., Verdict]:
        @functools.wraps(check)
        def checked(*answers: object) -> Verdict:
            verdict = Verdict(number, _text(check, answers))
            print(verdict)
            return verdict

        return checked

    return decorate


def _text(check, answers):
    try:
        check(*map(_watched, answers))
    except _Ended as verdict:
        return str(verdict)
    except AssertionError as error:
        return f"not yet: {error}"
    except Exception as error:  # the check could not make sense of what it was given
        return f"not yet: the result cannot be used ({type(error).__name__}: {error})"
    return "correct"


def _watched(answer):
    """The reader's function, but a stub, a missing return and an error in it end the check with a verdict."""
    if answer is ...:
        raise _Ended("not attempted yet")
    if not callable(answer):
        return answer

    @functools.wraps(answer)
    def watched(*args, **kwargs):
        try:
            result = answer(*args, **kwargs)
        except Exception as error:
            raise _Ended(f"not yet: {_describe(error, answer)}") from None
        if result is ... or (isinstance(result, tuple) and any(value is ... for value in result)):
            raise _Ended("not attempted yet")
        if result is None:
            raise _Ended(f"not yet: {answer.__name__} returns nothing; does it end in a return?")
        return result

    return watched


def _describe(error, answer):
    """An error in the reader's own code, with the last line of their cell that it passed through."""
    text = f"{answer.__name__} stops with {traceback.format_exception_only(error)[-1].strip()}"
    code = getattr(answer, "__code__", None)
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if code and f.filename == code.co_filename]
    return f"{text} (line {lines[-1]} of its cell)" if lines else text
