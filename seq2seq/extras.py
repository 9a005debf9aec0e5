"""Optional libraries: whether one is there, and how to install it."""

import importlib.util

from seq2seq.errors import OptionError


def installing(extra: str) -> str:
    """Returns how to install an extra of this package, such as `plots`: from its source, since no index has it."""
    return f"run pip install '.[{extra}]' in the folder of seq2seq's source"


def has_matplotlib() -> bool:
    """Returns whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def require_matplotlib(option: str, otherwise: str) -> None:
    """Refuses an option that needs matplotlib, where it is not installed.

    Args:
        option: what the user gave.
        otherwise: what the user can do without matplotlib.

    Raises:
        OptionError: matplotlib is not installed.

    """
    if not has_matplotlib():
        raise OptionError(f"{option}: needs matplotlib, which is not installed: {installing('plots')}; or {otherwise}")
