# Sourced by the scripts beside it: finds interpreters and makes virtual environments.
# shellcheck shell=bash

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_INPUT=1
# Options from outside must not change what these scripts measure.
unset PYTEST_ADDOPTS PYTEST_PLUGINS PYTHONPATH PYTHONHOME

OLDEST_MINOR=10
SUPPORTED=(3.10 3.11 3.12 3.13)

say() {
    printf '%s\n' "$*"
}

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Prints the path of CPython $1 (such as 3.12), from PATH or pyenv; fails where there is none that can make
# virtual environments. A pyenv shim may stand on PATH without a version behind it, so each one is tried.
find_python() {
    local version=$1 candidate
    local candidates=("python$version" python3 python)
    for candidate in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python "${candidates[@]}"; do
        if "$candidate" -c "import sys, venv, ensurepip
sys.exit('%d.%d' % sys.version_info[:2] != '$version' or sys.implementation.name != 'cpython')" 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

# Prints the path of an interpreter that the project supports: $PYTHON, python3, or the newest that is found.
find_any_python() {
    local candidate index
    for candidate in ${PYTHON:+"$PYTHON"} python3; do
        if "$candidate" -c "import sys, venv, ensurepip
sys.exit(sys.version_info < (3, $OLDEST_MINOR))" 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    for ((index = ${#SUPPORTED[@]} - 1; index >= 0; index--)); do
        find_python "${SUPPORTED[index]}" && return 0
    done
    return 1
}

# Runs pip of environment $1 with the remaining arguments; a registry that stumbles is asked three times.
pip_of() {
    local environment=$1 attempt
    shift
    for attempt in 1 2 3; do
        "$environment/bin/python" -m pip --quiet "$@" && return 0
        ((attempt == 3)) || sleep $((attempt * 5))
    done
    fail "pip $* failed three times in $environment; its messages stand above"
}

# Makes environment $1 with interpreter $2 and installs the remaining arguments into it, unless that was done
# before with the same interpreter, arguments and pyproject.toml. Two scripts may ask for the same one at once.
make_environment() {
    local environment=$1 python=$2 stamp
    shift 2
    stamp=$("$python" -VV && printf '%s\n' "$PWD" "$@" && cat pyproject.toml)
    (
        if command -v flock >/dev/null; then
            exec 9>"${environment%/}.lock"
            flock 9
        fi
        if [[ ! -f $environment/made-with || $(<"$environment/made-with") != "$stamp" ]]; then
            rm -rf "$environment"
            "$python" -m venv "$environment" ||
                fail "$python cannot make a virtual environment. On Debian: apt-get install python3-venv."
            pip_of "$environment" install "$@"
            printf '%s\n' "$stamp" >"$environment/made-with"
        fi
    )
}

# Has the bytecode of the package and its tests written for environment $1, where Python may write none: each of
# the many processes would compile it anew. pytest, which rewrites the package of a plugin, keeps its own.
write_bytecode() {
    local python=$1/bin/python asked
    "$python" -m compileall -q pytest_repro tests
    for asked in '--collect-only tests' '-n 2 --repro-stress=2' --verify-runs=1; do
        # shellcheck disable=SC2086  # several arguments
        PYTHONDONTWRITEBYTECODE='' "$python" -m pytest -q -p no:cacheprovider $asked tests/unit/test_slow_twins.py \
            </dev/null >/dev/null 2>&1 || true
    done
}

# Makes the environment for developing, $1.
make_development_environment() {
    local python
    python=$(find_any_python) ||
        fail "no CPython from 3.$OLDEST_MINOR on with the modules venv and ensurepip was found. Set PYTHON."
    make_environment "$1" "$python" -e '.[dev]'
}

install_package() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$1" >/dev/null 2>&1
}

# Installs a Chromium, in which a test opens Perfetto's page, if there is none and the system's packages can be
# had; without one the test says that it was left out.
install_browser() {
    local browser
    for browser in chromium google-chrome; do
        if command -v "$browser" >/dev/null; then return 0; fi
    done
    if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
        say 'installing chromium with apt-get'
        install_package chromium && return 0
        apt-get -qq update >/dev/null 2>&1 || true
        install_package chromium && return 0
    fi
    say 'no Chromium was found or installed: the test that opens a trace in it is left out'
}
