"""Asks pip-audit whether a known vulnerability concerns the packages of the environment: `python -m tests.audit`.

It exits with 0 where none is known, 1 where some are, each in a line, and 2 where nobody could be asked. For a build
that must not depend on a service, `--if-reachable` makes that 0.
"""

import argparse
import json
import subprocess
import sys

COMMAND = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--skip-editable"]
NONE_KNOWN, KNOWN, UNASKED = 0, 1, 2


def read_report(text, errors):
    """Reads pip-audit's JSON, which is absent where the service could not be reached.

    Returns: an exit code and lines to print. pip-audit itself ends with success where it could ask for no package.
    """
    try:
        packages = json.loads(text)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        reason = errors.strip().splitlines()[-1] if errors.strip() else "pip-audit wrote no report"
        return UNASKED, [f"audit: error: no package was audited: {reason}"]
    asked = [package for package in packages if "vulns" in package]
    if not asked:
        reason = packages[0].get("skip_reason", "no reason") if packages else "no package is installed"
        return UNASKED, [
            f"audit: error: none of {len(packages)} packages was audited: {reason}; try again where pypi.org answers"
        ]
    lines = [
        f"{package['name']} {package['version']}: {found['id']}, "
        f"fixed in {', '.join(found['fix_versions']) or 'no version yet'}"
        for package in asked
        for found in package["vulns"]
    ]
    left = [package["name"] for package in packages if "vulns" not in package]
    said = f"audit: {len(asked)} packages audited, {len(lines)} known vulnerabilities"
    said += f"; not audited: {', '.join(sorted(left))}" if left else ""
    return (KNOWN if lines else NONE_KNOWN), [*lines, said]


def main(arguments=None):
    """Prints what is known and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.audit", description=__doc__.splitlines()[0])
    parser.add_argument("--if-reachable", action="store_true", help="exit 0 where the service cannot be reached")
    options = parser.parse_args(arguments)
    result = subprocess.run(COMMAND, capture_output=True, text=True)
    code, lines = read_report(result.stdout, result.stderr)
    print("\n".join(lines), file=sys.stderr if code else sys.stdout)
    return NONE_KNOWN if code == UNASKED and options.if_reachable else code


if __name__ == "__main__":
    sys.exit(main())
