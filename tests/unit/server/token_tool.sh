#!/bin/sh
# svc-token: keys and tokens made and shown, one line per error. Argument: svc-token.
set -eu
tool=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() { echo "FAIL: $*" >&2; exit 1; }

expect() { # expect CODE command...: that exit code, and one line on standard error
    want=$1; shift
    code=0
    "$@" >/dev/null 2>"$dir/err" </dev/null || code=$?
    [ "$code" -eq "$want" ] || fail "$* gave $code, not $want: $(cat "$dir/err")"
    [ "$(wc -l <"$dir/err")" -eq 1 ] || fail "$* said: $(cat "$dir/err")"
}

"$tool" --help | grep -q Usage: || fail --help
"$tool" --version | grep -q '^svc-token' || fail --version
expect 64 "$tool"
expect 64 "$tool" --nonsense
expect 64 "$tool" --key
expect 64 "$tool" --key k more
expect 64 "$tool" --key k --ttl 1h
expect 64 "$tool" --key k --subscribe live
expect 64 "$tool" --key k --ttl 1
expect 64 "$tool" --key k --ttl 0s
expect 64 "$tool" --key k --ttl -1h
expect 64 "$tool" --key k --algorithm EdDSA
expect 64 "$tool" --key k --max-sessions 0
expect 64 "$tool" --show x --new-key y
expect 1 "$tool" --key "$dir/none" --subscribe live --ttl 1h
expect 1 "$tool" --show "$dir/none"
expect 1 "$tool" --new-key /nowhere/key

for algorithm in HS256 HS384 HS512 ES256 ES384 ES512 RS256; do
    key=$dir/$algorithm
    "$tool" --new-key "$key" --algorithm "$algorithm"
    [ "$(stat -c %a "$key")" = 600 ] || fail "$algorithm: the key may be read by others"
    expect 1 "$tool" --new-key "$key" --algorithm "$algorithm" # no overwriting
    public=$key
    [ ! -e "$key.pub" ] || public=$key.pub
    "$tool" --key "$key" --algorithm "$algorithm" --subscribe live/ --publish cam/ --ttl 1h \
        --subject me --max-sessions 2 >"$dir/token"
    "$tool" --show "$dir/token" --key "$public" --algorithm "$algorithm" >"$dir/shown"
    grep -q "\"alg\": \"$algorithm\"" "$dir/shown" || fail "$algorithm: $(cat "$dir/shown")"
    grep -q '"live/"' "$dir/shown" && grep -q '^good until' "$dir/shown" || fail "$algorithm shown"
    "$tool" --show "$(cat "$dir/token")" --key "$public" --algorithm "$algorithm" >/dev/null
done
"$tool" --show - --key "$dir/RS256.pub" --algorithm RS256 <"$dir/token" >/dev/null
expect 1 "$tool" --show "$dir/token" --key "$dir/ES256.pub" --algorithm ES256
expect 1 "$tool" --show "$dir/token" --key "$dir/HS256" --algorithm HS256
expect 64 "$tool" --show "$dir/token" --key "$dir/RS256.pub"
"$tool" --key "$dir/HS256" --subscribe live --start 1h --ttl 1h >"$dir/token"
expect 1 "$tool" --show "$dir/token" --key "$dir/HS256" --algorithm HS256
grep -q 'not good yet' "$dir/err" || fail "$(cat "$dir/err")"
