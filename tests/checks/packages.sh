# SPDX-License-Identifier: Apache-2.0
# Sourced by the checks of the packages: builds them, unless ARBITER_PACKAGES is a folder that has them.
# Sets $packages, their folder.
# shellcheck shell=bash
packages=${ARBITER_PACKAGES:-$PWD/build/packages}
failures=0
fail() {
  echo "FAILED: $1"
  failures=$((failures + 1))
}

for tool in dpkg-buildpackage dh lintian mandoc; do
  command -v $tool >/dev/null || { echo "$tool is not installed: deploy/install-packages.sh package"; exit 77; }
done
[[ -n ${ARBITER_PACKAGES:-} ]] || deploy/build-packages.sh --no-install >/dev/null || exit 1
package() { echo "$packages/$1"_*.deb; }
