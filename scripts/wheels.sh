# What deps.sh and servers.sh share; both source it, from the repository's root and with `set -euo pipefail`.

say() { local script=${0##*/}; echo "${script%.sh}: $*" >&2; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# fetch_wheel PACKAGE VERSION PLATFORM SHA256 FOLDER: unpacks a Python wheel into a folder; an empty SHA256 is not checked.
fetch_wheel() {
  local package=$1 version=$2 platform=$3 sha256=$4 folder=$5 tmp wheel
  say "fetching the wheel $package $version"
  tmp=$(mktemp -d)
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.13 \
    --platform "$platform" --dest "$tmp" "$package==$version"
  wheel=$(echo "$tmp"/*.whl)
  if [ -n "$sha256" ]; then
    echo "$sha256  $wheel" | sha256sum --check --quiet - || { say "the wheel is not the one that was pinned"; exit 1; }
  fi
  mkdir -p "$folder"
  python3 -m zipfile -e "$wheel" "$folder"
  rm -rf "$tmp"
}
