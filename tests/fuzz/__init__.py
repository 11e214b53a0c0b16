"""Random calls of the compiled modules and of the public interface: none may end the interpreter.

`PYTHONPATH=tests python -m fuzz --calls 10000` from a checkout. A call is drawn from its seed and its number alone, so
that `--seed` and `--first` repeat it.
"""
