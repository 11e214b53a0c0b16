"""Scripts of the gallery run while the pages are built, not as they are collected by pytest."""

collect_ignore_glob = ["gallery/examples/*.py", "gallery/generated/*"]
