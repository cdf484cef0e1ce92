"""The version, in one place: setup.cfg, `--version` and every record read it from here."""

__version__ = "0.1.0"
