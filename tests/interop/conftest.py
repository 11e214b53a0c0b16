"""Files of libraries that are not installed are left out; tests/conftest.py says which at the head of every run."""

from importlib.util import find_spec
from pathlib import Path

from libraries import LIBRARIES

collect_ignore = [f"test_{name}.py" for name in LIBRARIES if find_spec(name) is None]
if {"test_torch.py", "test_onnx.py"} & set(collect_ignore):
    collect_ignore.append("test_exporters.py")
assert {Path(__file__).with_name(f"test_{name}.py").is_file() for name in LIBRARIES} == {True}
