#!/bin/sh
# setup.sh - installs the Debian packages of the groups named, out of packages.txt.
#
#     tools/setup.sh GROUP...        (no group: build run demo)
#
# Idempotent; says nothing and asks for nothing when nothing is missing. Uses sudo only when
# something is missing and the caller is not root. SVC_NO_SETUP=1 switches it off: the caller
# answers for the packages then (other distributions, containers without a network).
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
list=$here/packages.txt

die() {
    echo "setup: $*" >&2
    exit 1
}

packages_of() { # GROUP...
    while read -r group package _; do
        for wanted in "$@"; do
            if [ "$group" = "$wanted" ]; then echo "$package"; fi
        done
    done <"$list"
}

missing_of() { # PACKAGE...
    for package in "$@"; do
        state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || echo "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

[ "${SVC_NO_SETUP:-0}" = 1 ] && exit 0
[ $# -gt 0 ] || set -- build run demo
# Package names have no blanks: the splitting is wanted.
# shellcheck disable=SC2046
set -- $(packages_of "$@")
[ $# -gt 0 ] || die "no package in the groups named; see $list"
command -v dpkg-query >/dev/null 2>&1 ||
    die "this is not Debian; install the like of these, then set SVC_NO_SETUP=1: $*"
# shellcheck disable=SC2046
set -- $(missing_of "$@")
[ $# -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null 2>&1; then
    die "missing, and neither root nor sudo is at hand; as root: apt-get install $*"
fi
echo "setup: installing $*"
log=$(mktemp "${TMPDIR:-/tmp}/svc-setup.XXXXXX")
trap 'rm -f "$log"' EXIT
fail() {
    tail -n 20 "$log" >&2
    die "apt-get $1 failed"
}
as_root apt-get -qq -o DPkg::Lock::Timeout=300 update >"$log" 2>&1 || fail update
as_root apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" \
    >"$log" 2>&1 || fail install
