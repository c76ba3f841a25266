# Sourced by scripts/*: makes the virtual environment and keeps it up to date with pyproject.toml.
# Usage: prepare_venv [extra]   leaves $VENV_PYTHON; says what it does on stderr.

say() { printf '%s\n' "tagsight: $*" >&2; }

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python3.10; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
    if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))'; then
      command -v "$candidate"
      return 0
    fi
  done
  say "needs Python 3.10 to 3.13; install it (Debian, Ubuntu: apt-get install python3) or set PYTHON=/path/to/python3"
  return 1
}

# Debian ships Python without ensurepip; the pip wheel of python3-pip-whl fills the gap without root.
borrow_pip() {
  local python=$1 venv=$2 wheel
  if "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m pip --python "$venv/bin/python" install --quiet pip >&2 && return 0
  fi
  "$ROOT/scripts/lib/fetch_debs.sh" python3-pip-whl >/dev/null || return 1
  wheel=$(find /usr/share/python-wheels "${TAGSIGHT_CACHE:-$HOME/.cache/tagsight}" -name 'pip-*.whl' 2>/dev/null | head -n 1)
  [ -n "$wheel" ] || return 1
  PYTHONPATH="$wheel" "$venv/bin/python" -m pip install --quiet pip >&2
}

make_venv() {
  local python=$1 venv=$2
  say "making a virtual environment in $venv with $python"
  if "$python" -c 'import ensurepip' >/dev/null 2>&1; then
    "$python" -m venv "$venv" && return 0
  fi
  rm -rf "$venv"
  "$python" -m venv --without-pip "$venv" && borrow_pip "$python" "$venv" && return 0
  rm -rf "$venv"
  say "cannot make a virtual environment; install its package (Debian, Ubuntu: apt-get install python3-venv)"
  return 1
}

prepare_venv() {
  local extra=${1:-} venv python wanted stamp
  venv=${TAGSIGHT_VENV:-$ROOT/.venv}
  VENV_PYTHON=$venv/bin/python
  stamp=$venv/.tagsight${extra:+-$extra}
  if [ ! -x "$VENV_PYTHON" ] || ! "$VENV_PYTHON" -c 'import pip' >/dev/null 2>&1; then
    python=$(find_python) || return 1
    make_venv "$python" "$venv" || return 1
  fi
  wanted=$(cksum <"$ROOT/pyproject.toml")
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    say "installing tagsight${extra:+ with its $extra tools} into $venv (about a minute)"
    "$VENV_PYTHON" -m pip install --quiet --disable-pip-version-check --editable "$ROOT${extra:+[$extra]}" >&2 || {
      say "the packages could not be installed; the lines above say why"
      return 1
    }
    printf '%s\n' "$wanted" >"$stamp"
  else
    say "using the virtual environment in $venv"
  fi
}
