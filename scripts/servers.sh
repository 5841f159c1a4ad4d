#!/usr/bin/env bash
# Installs the servers that tests start. The program itself needs none of these.
#
#     servers.sh            PostgreSQL, MariaDB and their ADBC drivers; Redis; moto (S3), Azurite (Azure's blobs), localstripe (Stripe), MLflow
#     servers.sh snowflake  Snowflake's ADBC driver and a server of its protocol (fakesnow), for `make test-snowflake`
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/wheels.sh

ADBC_VERSION=1.13.0
SNOWFLAKE_ADBC_VERSION=1.11.0
# Only what moto's S3 needs: all of its extra `server` is twice as much.
MOTO=('moto[s3]==5.2.5' flask==3.1.3 flask-cors==6.0.5)
# Later versions need Node.js 21.
AZURITE_VERSION=3.35.0
LOCALSTRIPE=(localstripe==1.15.10)
MLFLOW=(mlflow==3.17.2)
# Version 4 of Snowflake's own client has moved a module that fakesnow takes from it.
FAKESNOW=('fakesnow[server]==0.12.1' 'snowflake-connector-python<4')

# Debian puts PostgreSQL's programs outside of the search path.
have_postgres() { command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }

have_mariadb() { command -v mariadbd >/dev/null || [ -x /usr/sbin/mariadbd ]; }

have_redis() { command -v redis-server >/dev/null; }

install_debian() {
  local missing=()
  have_postgres || missing+=(postgresql)
  have_mariadb || missing+=(mariadb-server)
  have_redis || missing+=(redis-server)
  command -v openssl >/dev/null || missing+=(openssl)
  command -v npm >/dev/null || missing+=(nodejs npm)
  python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing with apt-get: ${missing[*]}"
    as_root apt-get update -qq
    # RUNLEVEL keeps the packages from starting servers of their own: each test starts its own.
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  fi
}

install_macos() {
  command -v brew >/dev/null || { say "Homebrew is needed on macOS: https://brew.sh"; exit 1; }
  have_postgres || brew install --quiet postgresql@17
  have_mariadb || brew install --quiet mariadb
  have_redis || brew install --quiet redis
}

# fetch_adbc NAME VERSION SHA256_X86_64 SHA256_AARCH64: the shared library of a driver, out of its Python package.
fetch_adbc() {
  local name=$1 version=$2 platform sha256
  local marker=".deps/adbc/$name-$version"
  [ -e "$marker" ] && return
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) platform=manylinux_2_28_x86_64 sha256=$3 ;;
    Linux-aarch64) platform=manylinux_2_28_aarch64 sha256=$4 ;;
    *) say "no ADBC driver for $name is pinned for $(uname -s) $(uname -m): its tests will say so"; return ;;
  esac
  rm -rf ".deps/adbc/adbc_driver_$name"
  fetch_wheel "adbc-driver-$name" "$version" "$platform" "$sha256" .deps/adbc
  touch "$marker"
}

# environment NAME PACKAGE…: Python packages in .deps/NAME, installed anew when the list of packages is another one.
environment() {
  local folder=.deps/$1
  shift
  [ "$(cat "$folder/packages" 2>/dev/null)" = "$*" ] && return
  say "installing $* into $folder"
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check "$@"
  echo "$*" >"$folder/packages"
}

install_azurite() {
  local folder=.deps/azurite
  [ "$(cat "$folder/version" 2>/dev/null)" = "$AZURITE_VERSION" ] && return
  command -v npm >/dev/null || { say "npm is missing: the tests of Azure's object store will say that they did not run"; return; }
  say "installing azurite $AZURITE_VERSION into $folder"
  rm -rf "$folder"
  mkdir -p "$folder"
  npm install --prefix "$folder" --loglevel=error --no-package-lock --no-audit --no-fund --ignore-scripts "azurite@$AZURITE_VERSION" >&2
  echo "$AZURITE_VERSION" >"$folder/version"
}

case "$(uname -s)" in
  Darwin) install_macos ;;
  *)
    if command -v apt-get >/dev/null; then
      install_debian
    else
      have_postgres && have_mariadb && have_redis || say "apt-get is not here: install PostgreSQL, MariaDB and Redis by hand"
    fi
    ;;
esac
fetch_adbc postgresql "$ADBC_VERSION" a86819ba7c79b1d067c4a5344358b4d346bab58e888d7879ed2b25d97cc59ba1 \
  f2f3c51076fc27ba768bad2dc4cc3888655ac719473aa7d933b2813860491014
fetch_adbc sqlite "$ADBC_VERSION" fb51f307cb3c45aa5476c84eae83781079939832f35dd54611dbe6095627ca3d \
  9fb6ff7adf05c01a9cd5ef5c62c926f6af6720f774e824829c7f648b801848af
# npm mostly waits for the network.
install_azurite &
azurite=$!
environment moto "${MOTO[@]}"
environment localstripe "${LOCALSTRIPE[@]}"
environment mlflow "${MLFLOW[@]}"
# Models are loaded through the Python package of the very library that the program is linked with: deps.sh has fetched both in one wheel.
echo "$PWD/.deps" >"$(echo .deps/mlflow/lib/python3*/site-packages)/xgboost.pth"
wait "$azurite"
if [ "${1:-}" = snowflake ]; then
  fetch_adbc snowflake "$SNOWFLAKE_ADBC_VERSION" 7c7d7ecef7246303648a08cee3d78c383133bea8f2e1568cf6e8750ab94b5a57 \
    07b5edbeb1b85be0882d7095641df26a24b3b4c2ba4d8edda35e3bbe89e70a06
  environment fakesnow "${FAKESNOW[@]}"
fi
