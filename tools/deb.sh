#!/bin/sh
# deb.sh [--try] - builds the Debian packages of this tree into build/deb and lets lintian judge them.
#
# --try: installs them in a bare Debian 12 (debootstrap, kept in build/deb/base; needs root and a
# network) and uses them there: tools/try_deb.sh.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
out=$root/build/deb
source=$out/svc-suite

die() {
    echo "deb: $*" >&2
    exit 1
}

mkdir -p "$out"
rm -rf "$source" "$out"/*.deb "$out"/*.buildinfo "$out"/*.changes
mkdir "$source"
cd "$root"
# What is versioned or will be, as it is now.
git ls-files -z --cached --others --exclude-standard | xargs -0 sh -c '
    for f; do if [ -e "$f" ]; then printf "%s\0" "$f"; fi; done' sh |
    tar --null -T - -cf - | tar -C "$source" -xf -
cd "$source"
command -v ccache >/dev/null 2>&1 && export CC="ccache ${CC:-cc}"
dpkg-buildpackage -b -us -uc ${JOBS:+-j"$JOBS"} >"$out/build.log" 2>&1 ||
    { tail -n 30 "$out/build.log" >&2; die "dpkg-buildpackage failed; see $out/build.log"; }
cd "$out"
lintian --allow-root --fail-on error --suppress-tags bad-distribution-in-changes-file ./*.changes \
    >lintian.log 2>&1 || { cat lintian.log >&2; die "lintian found errors"; }
echo "lintian: $(grep -c '^W:' lintian.log || true) warnings, no errors; see build/deb/lintian.log"
ls -1 "$out"/*.deb
[ "${1:-}" = --try ] || exit 0
exec "$root/tools/try_deb.sh" "$out"
