__version__: str
cpu_levels: tuple[str, ...]
built_levels: tuple[str, ...]
