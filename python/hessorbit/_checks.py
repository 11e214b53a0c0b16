"""The checks let through real numbers without loss of precision, finite, in the shape asked for.

Arrays inside the library are C-contiguous float64, or longdouble for extended precision. Anything that converts to
one of them exactly is accepted (lists, float32, integers up to 2**53); anything else is refused by name. A wrong kind
of thing is a TypeError, a wrong value or shape a ValueError.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import _core, _tables
from ._words import number_of

Array = NDArray[Any]
FLOAT64 = np.dtype(np.float64)
LONGDOUBLE = np.dtype(np.longdouble)
MOST_THREADS = 1024  # that may work on a call of the core
MOST_AXES = 64  # of an array of NumPy
# What other libraries call the same, in letters and digits alone.
OTHER_NAMES = {
    "linear": "identity", "none": "identity", "swish": "silu", "logistic": "sigmoid", "expit": "sigmoid",
    "exponential": "exp", "sine": "sin", "cosine": "cos", "quadratic": "square", "cubic": "cube", "phi": "normal_cdf",
    "mse": "squared_error", "mseloss": "squared_error", "meansquarederror": "squared_error", "l2": "squared_error",
    "bce": "logistic", "bceloss": "logistic", "bcewithlogitsloss": "logistic", "binarycrossentropy": "logistic",
    "nll": "cross_entropy", "nllloss": "cross_entropy", "ce": "cross_entropy", "logloss": "cross_entropy",
    "sparsecategoricalcrossentropy": "cross_entropy", "softmax": "cross_entropy", "smoothl1": "huber",
    "smoothl1loss": "huber", "sgd": "gd", "gradientdescent": "gd", "levenbergmarquardt": "lm", "trustregion": "newton",
    "xavier": "glorot_normal", "xaviernormal": "glorot_normal", "xavieruniform": "glorot_uniform",
    "glorot": "glorot_normal", "kaiming": "he_normal", "kaimingnormal": "he_normal", "he": "he_normal",
}  # fmt: skip
LARGEST_INTEGER = 2**53  # up to here every integer is a float64


def as_array(value: Any, name: str) -> Array:
    """Returns `value` as a NumPy array of real numbers, of whatever dtype it comes in."""
    if type(value) is not np.ndarray:
        if masked := masked_entries(value):
            raise ValueError(f"{name} must not have masked entries; it has {masked}")
        if _tables.is_table(value):
            return _tables.as_array(value, name)
    try:
        array = np.asarray(value)
    except MemoryError:
        raise
    except Exception as error:  # of NumPy, or of what the value converts itself by
        reason = " ".join(str(error).split())
        raise ValueError(f"{name} must be an array of real numbers; it does not form an array: {reason}") from error
    if array.dtype.name.startswith(("bfloat16", "float8")):  # of ml_dtypes, which NumPy does not count as numbers
        array = array.astype(np.float32)
    if array.dtype.kind not in "buif":
        remedies = {"toarray": ": its toarray() is dense", "astype": ": convert it by astype(float), if it can be"}
        remedy = next((said for method, said in remedies.items() if hasattr(value, method)), "")
        raise TypeError(
            f"{name} must hold real numbers; got dtype {array.dtype} from {with_article(type(value))}"
            f"{remedy if array.dtype.kind == 'O' else ''}"
        )
    return array


def masked_entries(value: Any, depth: int = 0) -> int:
    """Counts the masked entries of an array, or of arrays and scalars in nested lists, whose masks NumPy drops."""
    if isinstance(value, np.ma.MaskedArray):
        return int(np.ma.getmaskarray(value).sum())
    if isinstance(value, list | tuple) and depth < MOST_AXES:
        kinds = set(map(type, value))  # of long lists of numbers, which need no look at each of them
        if any(issubclass(kind, list | tuple | np.ma.MaskedArray) for kind in kinds):
            return sum(masked_entries(item, depth + 1) for item in value)
    return 0


def as_floats(value: Any, name: str) -> Array:
    """Returns `value` exactly, as an aligned C-contiguous array of finite float64, or longdouble if it is that."""
    array = as_array(value, name)
    if array.dtype.kind in "iu" and array.size and not within_float64(array):
        raise ValueError(f"{name} must hold numbers that float64 can represent; it has an integer beyond 2**53")
    dtype = LONGDOUBLE if is_extended(array) else FLOAT64
    if array.dtype != dtype:
        with np.errstate(invalid="ignore"):  # of signalling NaN
            array = array.astype(dtype)
    array = np.require(array, dtype, ["C", "A"])
    check_finite(array, name)
    return array


def is_extended(array: Array) -> bool:
    """Returns whether an array is longdouble. Where long double is double, NumPy calls both dtypes equal."""
    return array.dtype.type is np.longdouble


def within_float64(integers: Array) -> bool:
    return max(-int(integers.min()), int(integers.max())) <= LARGEST_INTEGER


def check_finite(array: Array, name: str) -> None:
    if not _core.all_finite(array):
        position = np.argwhere(~np.isfinite(array))[0].tolist()
        where = f"{name}[{', '.join(map(str, position))}]" if position else name
        raise ValueError(f"{name} must be finite; {where} is {array[tuple(position)]}")


def cast(array: Array, dtype: DTypeLike, name: str, owner: str) -> Array:
    """Returns `array` in the precision of `owner`, and refuses it if that would lose digits."""
    if array.dtype.type is np.dtype(dtype).type:
        return array
    if is_extended(array):
        raise TypeError(
            f"{name} is longdouble but {owner} is float64: pass {owner} as longdouble to compute in extended "
            f"precision, or round {name} to float64 yourself"
        )
    return array.astype(dtype)


def shape_error(name: str, expected: str, shape: tuple[int, ...]) -> ValueError:
    return ValueError(f"{name} must have shape {expected}; got {shape}")


def parameters(value: Any, count: int, name: str = "theta") -> Array:
    """Returns θ as a finite array of shape (P,) or (B, P)."""
    theta = as_floats(value, name)
    if theta.ndim not in (1, 2) or theta.shape[-1] != count:
        raise shape_error(
            name, f"({count},) or (B, {count}), as the network has {number_of(count, 'parameter')}", theta.shape
        )
    return theta


def parameter_vector(value: Any, count: int, name: str = "theta") -> Array:
    """Returns θ as a finite array of shape (P,)."""
    theta = as_floats(value, name)
    if theta.shape != (count,):
        meaning = ", one number per parameter" if theta.ndim == 1 else ""
        raise shape_error(name, f"({count},){meaning}", theta.shape)
    return theta


def instance(value: Any, kind: type, name: str, such_as: str = "") -> None:
    """Refuses what is not of a kind; `such_as` says where one comes from."""
    if not isinstance(value, kind):
        hint = f", such as {such_as}" if such_as else ""
        raise TypeError(f"{name} must be {with_article(kind)}{hint}; got {with_article(type(value))}")


def with_article(kind: type) -> str:
    """Names a class with its article: "an MLP", "a Widening"."""
    name = kind.__name__
    spelled = name.isupper() or (len(name) > 1 and name[1].isupper())  # each letter is read by its name
    return f"an {name}" if name[0].upper() in ("AEFHILMNORSX" if spelled else "AEIOU") else f"a {name}"


def threads(value: int | None) -> int:
    """Returns a number of threads as the core wants it: 0 for None, which stands for what OpenMP would use."""
    return 0 if value is None else integer(value, "threads", minimum=1, maximum=MOST_THREADS)


def entries(value: Any, name: str, count: int, meaning: str) -> list[Any]:
    """Returns the entries of a sequence that must have `count`; `meaning` says why, as in "one per hidden layer"."""
    try:
        found = None if isinstance(value, str | bytes) else list(value)
    except TypeError:
        found = None
    if found is None:
        raise TypeError(
            f"{name} must be a sequence of {number_of(count, 'entry', 'entries')}, {meaning}; got {value!r}"
        )
    if len(found) != count:
        raise ValueError(f"{name} must have {number_of(count, 'entry', 'entries')}, {meaning}; got {len(found)}")
    return found


def neurons(value: Any, width: int, name: str = "neurons") -> list[int]:
    """Returns different neurons of a layer, counted from 0; all of them for None."""
    if value is None:
        return list(range(width))
    chosen = indices(value, width, name)
    distinct(chosen, name, "a neuron")
    return chosen


def indices(value: Any, count: int, name: str, what: str = "neurons") -> list[int]:
    """Returns a sequence of integers from 0 to count − 1, at most `count` of them, as a list."""
    array = as_array(value, name)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise TypeError(f"{name} must be a sequence of integers, {what} counted from 0; got {value!r}")
    found = [int(index) for index in array[: count + 1]]
    outside = [index for index in found if not 0 <= index < count]
    if outside:
        raise ValueError(f"{name} must hold {what} from 0 to {count - 1}; got {outside[0]}")
    if array.size > count:
        raise ValueError(
            f"{name} must not name any of the {what} from 0 to {count - 1} twice; got {array.size} of them"
        )
    return found


def positions(value: Any, count: int, name: str) -> list[int]:
    """Returns different positions in θ, at least one, in the order given; a mask of P truth values gives its trues."""
    array = as_array(value, name)
    if array.dtype.kind == "b":
        if array.shape != (count,):
            raise shape_error(name, f"({count},) if it is a mask, one truth value per parameter", array.shape)
        array = np.flatnonzero(array)
    found = indices(array, count, name, "positions of parameters")
    if not found:
        raise ValueError(f"{name} must name at least one parameter; got none")
    for index, after in pairwise(sorted(found)):
        if index == after:
            raise ValueError(f"{name} must not name a parameter twice; got {index} more than once")
    return found


def distinct(found: Sequence[int], name: str, what: str) -> None:
    if len(set(found)) < len(found):
        raise ValueError(f"{name} must not name {what} twice; got {list(found)}")


def one_of(value: Any, choices: Sequence[str], name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, one of {', '.join(choices)}; got {value!r}")
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}{did_you_mean(value, choices)}")
    return value


def did_you_mean(value: str, choices: Collection[str]) -> str:
    """Guesses what an unknown name stands for, as the end of a message; empty if nothing is near."""
    from difflib import get_close_matches

    plain = {letters(choice): choice for choice in choices}
    name = letters(value)
    known = plain.get(name) or OTHER_NAMES.get(name)
    guesses = [known] if known in choices else [plain[near] for near in get_close_matches(name, plain, n=1)]
    return f"; did you mean {guesses[0]!r}?" if guesses else ""


def letters(name: str) -> str:
    """Returns letters and digits alone, in small letters, as names differ in the rest."""
    return "".join(filter(str.isalnum, name.lower()))


def integer(value: Any, name: str, *, minimum: int, maximum: int | None = None) -> int:
    try:
        result = operator.index(value)
    except TypeError:
        result = None
    if result is None or isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be an integer; got {value!r}")
    if result < minimum:
        raise ValueError(f"{name} must be at least {minimum}; got {result}")
    if maximum is not None and result > maximum:
        raise ValueError(f"{name} must be at most {maximum}; got {result}")
    return result


def real(value: Any, name: str, *, minimum: float = -math.inf) -> float:
    """Returns a finite real number that float64 can represent, at least `minimum`."""
    array = as_floats(value, name)
    if array.ndim != 0:
        raise TypeError(f"{name} must be one number; got an array of shape {array.shape}")
    number = float(array)
    if number != array:
        raise ValueError(f"{name} must be a float64 number; {value!r} has more digits")
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum:g}; got {number!r}")
    return number


def positive(value: Any, name: str) -> float:
    number = real(value, name)
    if number <= 0:
        raise ValueError(f"{name} must be positive; got {number!r}")
    return number


def fraction(value: Any, name: str) -> float:
    """Returns a real number in [0, 1)."""
    number = real(value, name)
    if not 0 <= number < 1:
        raise ValueError(f"{name} must be at least 0 and below 1; got {number!r}")
    return number


def generator(value: Any, name: str = "rng") -> np.random.Generator:
    if not isinstance(value, np.random.Generator):
        raise TypeError(f"{name} must be a numpy.random.Generator, such as numpy.random.default_rng(0); got {value!r}")
    return value
