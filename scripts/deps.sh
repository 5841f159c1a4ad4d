#!/usr/bin/env bash
# Installs what the build needs and is missing, and fetches the pinned XGBoost library into .deps/.
# Debian and Ubuntu through apt, macOS through brew. Says what it does; does nothing where all is there.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/wheels.sh

XGBOOST_VERSION=3.4.1

have_libclang() {
  compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || compgen -G '/usr/lib/*/libclang*.so*' >/dev/null || [ -n "${LIBCLANG_PATH:-}" ]
}

install_debian() {
  local missing=()
  command -v cc >/dev/null || missing+=(gcc)
  command -v c++ >/dev/null || missing+=(g++)
  command -v make >/dev/null || missing+=(make)
  have_libclang || missing+=(libclang-dev)
  command -v python3 >/dev/null || missing+=(python3)
  python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing with apt-get: ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates libc6-dev "${missing[@]}" >/dev/null
  fi
}

install_macos() {
  command -v brew >/dev/null || { say "Homebrew is needed on macOS: https://brew.sh"; exit 1; }
  local missing=()
  for formula in llvm libomp python3; do
    brew list --formula "$formula" >/dev/null 2>&1 || missing+=("$formula")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing with brew: ${missing[*]}"
    brew install --quiet "${missing[@]}"
  fi
}

# The XGBoost wheel ships the shared library that the crate `xgb` links; its layout must stay as it is, because the
# library looks for its OpenMP runtime two folders up.
fetch_xgboost() {
  local marker=".deps/xgboost-$XGBOOST_VERSION"
  [ -e "$marker" ] && return
  local package=xgboost-cpu platform sha256
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) platform=manylinux_2_28_x86_64 sha256=1f16331f5c6beb2b40fbd4bf2834333062d93c9eb38b76186a5c206841dc1809 ;;
    Linux-aarch64) platform=manylinux_2_28_aarch64 sha256=47b81860b18056f9425b34fe2905343bc7ee0118122ae09cf2e31c305ed49877 ;;
    Darwin-arm64) package=xgboost platform=macosx_12_0_arm64 sha256="" ;;
    Darwin-x86_64) package=xgboost platform=macosx_10_15_x86_64 sha256="" ;;
    *) say "no XGBoost library is known for $(uname -s) $(uname -m)"; exit 1 ;;
  esac
  rm -rf .deps/xgboost .deps/xgboost_cpu.libs
  fetch_wheel "$package" "$XGBOOST_VERSION" "$platform" "$sha256" .deps
  if [ -e .deps/xgboost/lib/libxgboost.so ]; then
    ln -sf libxgboost.so .deps/xgboost/lib/libxgboost.so.3
  fi
  touch "$marker"
}

case "$(uname -s)" in
  Darwin) install_macos ;;
  *)
    if command -v apt-get >/dev/null; then
      install_debian
    else
      say "neither apt nor brew is here: install a C++ compiler, libclang and python3 with pip by hand"
    fi
    ;;
esac
command -v cargo >/dev/null || { say "Rust is missing: install it from https://rustup.rs"; exit 1; }
fetch_xgboost
