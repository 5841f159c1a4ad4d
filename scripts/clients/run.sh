#!/usr/bin/env bash
# Runs a vendor's public client against an API, by default the fakes:
#
#     scripts/clients/run.sh                       only installs the clients
#     scripts/clients/run.sh VENDOR ARGUMENT…      runs VENDOR.py or VENDOR.mjs of this folder
#
# The clients are installed once into .deps/clients (from requirements.txt and package.json); several runs may be under way
# at a time. What a client read goes to stdout, all else to stderr. Exit code 4: the clients can't be installed here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
clients="$root/.deps/clients"

say() { echo "clients: $*" >&2; }

fail() { say "$*"; exit 4; }

# A new list of packages makes a new installation, of that language only.
wanted() { cksum <"$here/$(list_of "$1")"; }

list_of() { if [ "$1" = python ]; then echo requirements.txt; else echo package.json; fi; }

is_there() { [ "$(cat "$clients/$1.installed" 2>/dev/null)" = "$(wanted "$1")" ]; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

need_venv() {
  command -v python3 >/dev/null || fail "python3 is missing: run scripts/deps.sh"
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null && command -v apt-get >/dev/null; then
    say "installing with apt-get: python3-venv"
    as_root apt-get update -qq >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
  fi
}

install_python() {
  need_venv
  say "installing the Python clients of requirements.txt into .deps/clients/python"
  rm -rf "$clients/python"
  python3 -m venv "$clients/python" >&2 || fail "python3 can't make a virtual environment here"
  "$clients/python/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt" >&2 \
    || fail "the Python clients can't be installed"
}

install_node() {
  command -v npm >/dev/null || fail "npm is missing: the clients in JavaScript can't be installed"
  say "installing the JavaScript clients of package.json into .deps/clients/node"
  rm -rf "$clients/node"
  mkdir -p "$clients/node"
  cp "$here/package.json" "$clients/node/"
  (cd "$clients/node" && npm install --silent --no-package-lock --no-audit --no-fund --ignore-scripts >&2) \
    || fail "the JavaScript clients can't be installed"
}

# `need python` or `need node`. One at a time: tests run side by side.
need() {
  if is_there "$1"; then return; fi
  mkdir -p "$clients"
  exec 9>"$clients/lock"
  if command -v flock >/dev/null; then flock 9; fi
  if ! is_there "$1"; then
    rm -f "$clients/$1.installed"
    "install_$1"
    wanted "$1" >"$clients/$1.installed"
  fi
  exec 9>&-
}

if [ $# = 0 ]; then
  need python
  need node
  say "the clients are in .deps/clients"
  exit 0
fi
vendor=$1
shift
if [ -e "$here/$vendor.py" ]; then
  need python
  exec "$clients/python/bin/python" "$here/$vendor.py" "$@"
elif [ -e "$here/$vendor.mjs" ]; then
  need node
  # Modules are looked for beside the file that names them.
  copy="$clients/node/$vendor.$$.mjs"
  cp "$here/$vendor.mjs" "$copy"
  trap 'rm -f "$copy"' EXIT
  node "$copy" "$@"
else
  say "there is no client $vendor; those there are:"
  find "$here" -maxdepth 1 \( -name '*.py' -o -name '*.mjs' \) -exec basename {} \; | sort >&2
  exit 2
fi
