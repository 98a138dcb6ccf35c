#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian packages from this tree: build-packages.sh [OPTION...]
#   --output DIR     where they go (build/packages); earlier packages there are removed
#   --version V      another version than that of deploy/debian/changelog, e.g. for a test of an upgrade
#   --commit REV     that commit, instead of the files as they are now
#   --objects DIR    where objects are kept for the next build (build/packages-objects)
#   --no-install     the packages that building needs are there already
#   --no-lint        without lintian
# Needs no root but for installing what is missing. The last lines are the paths of the packages.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
output=$top/build/packages objects=$top/build/packages-objects commit='' version='' install=1 lint=1
while [[ $# -gt 0 ]]; do
  case $1 in
    --output) output=$(realpath -m "$2"); shift ;;
    --commit) commit=$2; shift ;;
    --objects) objects=$(realpath -m "$2"); shift ;;
    --version) version=$2; shift ;;
    --no-install) install=0 ;;
    --no-lint) lint=0 ;;
    -h | --help) sed -n '3,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "unknown option $1; see $0 --help" >&2; exit 2 ;;
  esac
  shift
done
[[ $install == 0 ]] || "$top/deploy/install-packages.sh" build package
mkdir -p "$output" "$objects"
exec 9>"$objects/lock"
flock 9 # one build at a time uses the objects
source=$objects/source # always the same path: it is in the objects
rm -rf "$source.before" "$objects"/arbiter*_*
[[ ! -d $source ]] || mv "$source" "$source.before"
mkdir -p "$source"

cd "$top"
if [[ -n $commit ]]; then
  git archive "$commit"
elif git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    [[ ! -e $file ]] || printf '%s\0' "$file"
  done | tar -c --null --no-recursion -T -
else
  tar -c --exclude=./build .
fi | tar -x -C "$source"
# What did not change keeps its time, so that it is not compiled again.
if [[ -d $source.before ]]; then
  (cd "$source" && find . -type f) | while IFS= read -r file; do
    ! cmp -s "$source/$file" "$source.before/$file" || touch -r "$source.before/$file" "$source/$file"
  done
  rm -rf "$source.before"
fi
cp -r "$source/deploy/debian" "$source/debian"
if [[ -n $version ]]; then
  { printf 'arbiter (%s) UNRELEASED; urgency=medium\n\n  * Built by deploy/build-packages.sh.\n\n' "$version"
    printf ' -- Arbiter maintainers <maintainers@arbiter.example>  %s\n\n' "$(dpkg-parsechangelog -l deploy/debian/changelog -S Date)"
    cat deploy/debian/changelog; } >"$source/debian/changelog"
fi

cd "$source"
export ARBITER_OBJECTS=$objects/objects
export DEB_BUILD_OPTIONS="parallel=$(nproc) ${DEB_BUILD_OPTIONS:-}"
log=$output/build.log
if ! dpkg-buildpackage -b -us -uc -nc >"$log" 2>&1; then
  tail -40 "$log" >&2
  echo "the packages were not built: $log" >&2
  exit 1
fi
rm -rf "$output"/*.deb "$output/debug"
mkdir "$output/debug"
mv ../*-dbgsym_*.deb "$output/debug/"
mv ../arbiter-*.deb "$output/"
if [[ $lint == 1 ]]; then
  # Not of interest outside of Debian's archive: a bug that asks for the package, an address that takes mail.
  lintian --allow-root --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs,bogus-mail-host,bogus-mail-host-in-debian-changelog \
    "$output"/*.deb >"$output/lintian.log" 2>&1 || { cat "$output/lintian.log" >&2; exit 1; }
fi
printf '%s\n' "$output"/*.deb
