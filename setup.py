"""What a package index shows: README.md, with files named instead of linked and without pictures."""

import re
from pathlib import Path

from setuptools import setup

readme = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
readme = re.sub(r"^\|.*\n\|[ \-|]*\n\| !\[.*\n\n", "", readme, flags=re.MULTILINE)  # a table of pictures
readme = re.sub(r"^!\[.*\n\n", "", readme, flags=re.MULTILINE)
readme = re.sub(r"\[([^]]+)\]\(\1\)", r"\1", readme)
readme = re.sub(r"\[([^]]+)\]\(([^)#:]+)(?:#[^)]*)?\)", r"\1 (\2)", readme)
setup(long_description=f"{readme}\nThe files named here are in the source distribution.\n")
