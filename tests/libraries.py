"""The libraries that hessorbit reads networks from, with their distributions."""

from __future__ import annotations

LIBRARIES = {"torch": "torch", "sklearn": "scikit-learn", "keras": "keras", "flax": "flax", "onnx": "onnx"}
