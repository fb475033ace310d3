#!/bin/sh
# Checks speedmetal on this machine and writes one file about it, in one line:
#
#     sh tools/check_mac.sh [PACKAGE] [options of `speedmetal doctor`]
#
# PACKAGE is what pip installs: a folder, a wheel, a name. Without it, the checkout that this file is
# in. Nothing but the report is left behind: Python's packages go to a temporary folder.
#
# Environment: PYTHON, the Python to use (3.11 to 3.15).
set -eu

fail() {
    printf 'check_mac: %s\n' "$1" >&2
    exit 2
}

# The first Python that is new enough; Xcode's own, 3.9, is not.
find_python() {
    for candidate in "${PYTHON:-}" python3.15 python3.14 python3.13 python3.12 python3.11 python3; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 16))' \
            >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return
        fi
        [ "$candidate" != "${PYTHON:-}" ] || fail "PYTHON=$candidate is no Python 3.11 to 3.15"
    done
    fail "needs Python 3.11 to 3.15; install it from https://www.python.org/downloads/macos/"
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
package=$here
case ${1:-} in
'' | -*) ;;
*)
    package=$1
    shift
    ;;
esac
[ ! -d "$package" ] || [ -f "$package/pyproject.toml" ] || fail "$package has no pyproject.toml"

python=$(find_python)
folder=$(mktemp -d "${TMPDIR:-/tmp}/speedmetal-check.XXXXXX")
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

printf 'installing %s for %s in a temporary folder ...\n' "$package" "$("$python" --version)"
"$python" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check "${package}[doctor]" ||
    fail "the installation failed; its message is above"

# The doctor says where its file is; its status is ours.
status=0
"$folder/venv/bin/speedmetal" doctor "$@" || status=$?
if [ "$status" -eq 1 ]; then
    printf 'Not everything holds. Please attach the file to an issue.\n'
fi
exit "$status"
