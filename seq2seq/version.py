"""The version of this package, which model folders and downloads name."""

__version__ = "0.1.0"
