#!/bin/sh
# The tools end to end: exit codes, one line per error, a pipe, and a file that FFmpeg accepts.
# Arguments: svc-testclip svc-encode svc-compare
set -eu
clip=$1 encode=$2 compare=$3
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

for tool in "$clip" "$encode" "$compare"; do
    "$tool" --help | grep -q Usage: || fail "$tool --help"
    "$tool" --version | grep -q '^svc-' || fail "$tool --version"
    expect 64 "$tool" --nonsense
    expect 64 "$tool"
done
expect 64 "$encode" --bitrate 300,x in out
expect 64 "$encode" --speed 3 in out
expect 64 "$encode" --passes 3 in out
expect 64 "$encode" --passes 2 --quantizer 30 in out
expect 64 "$encode" --passes 2 - out
expect 1 "$encode" --passes 2 /dev/null "$dir/out.mkv"
expect 1 "$encode" --passes 2 /nowhere/in.mkv "$dir/out.mkv"
expect 64 "$encode" --sound-packet 30 in out
expect 64 "$encode" --speed
expect 64 "$compare" --fps 0 a b
expect 64 "$compare" --align 5 a -
expect 1 "$encode" /nowhere/in.mkv "$dir/out.mkv"
expect 1 "$encode" /dev/null "$dir/out.mkv"

"$clip" --size 320x192 --duration 1 "$dir/clip.mkv"
expect 1 "$encode" "$dir/clip.mkv" /nowhere/out.mkv
"$encode" --quiet --bitrate 50,100,200 --key-interval 0.5s "$dir/clip.mkv" "$dir/layered.mkv"
# A second of sound in as many packets as their length says.
for ms in 10:100 20:50 40:25 60:17; do
    "$encode" --quiet --bitrate 50,100,200 --sound-packet "${ms%:*}" "$dir/clip.mkv" "$dir/sound.mkv"
    n=$(ffprobe -v error -count_packets -select_streams a -show_entries stream=nb_read_packets -of csv=p=0 \
        "$dir/sound.mkv")
    [ "${n%%,*}" -eq "${ms#*:}" ] || fail "packets of ${ms%:*} ms: $n in a second"
done
expect 1 "$compare" /nowhere/x.mkv "$dir/clip.mkv" --json "$dir/x.json"
expect 1 "$compare" "$0" "$dir/clip.mkv" --json "$dir/x.json"
expect 1 "$compare" "$dir/layered.mkv" "$dir/clip.mkv" --json /nowhere/x.json
expect 1 "$compare" --quiet "$dir/layered.mkv" "$dir/clip.mkv" --summary /nowhere/x.json
"$compare" --quiet "$dir/layered.mkv" "$dir/clip.mkv" --json "$dir/compare.json"
[ "$(grep -c '"number":' "$dir/compare.json")" -eq 30 ] || fail "compare: not 30 pictures"
[ "$(grep -o '"crc":' "$dir/compare.json" | wc -l)" -eq 90 ] || fail "compare: not 90 layers"

"$clip" --size 320x192 --duration 0.5 - | "$encode" --quiet --fps 15 - "$dir/pipe.mkv"
"$clip" --size 320x192 --duration 0.5 - |
    "$compare" --quiet "$dir/pipe.mkv" - --json - | grep -c '"number":' | grep -qx 8 ||
    fail "pipe: not 8 pictures"

"$encode" --progress --layers L4T1 --bitrate 8,9,10,11 "$dir/clip.mkv" "$dir/four.mkv" 2>"$dir/err"
"$encode" --layers L4T1 --bitrate 20,40,60 "$dir/clip.mkv" "$dir/four.mkv" 2>"$dir/err"
grep -qE ' S3 [5-7][0-9] kbit/s' "$dir/err" || fail "the fourth layer has no rate: $(cat "$dir/err")"

"$encode" --progress --passes 2 --bitrate 50,100,200 "$dir/clip.mkv" "$dir/two.mkv" 2>"$dir/err"
tr '\r' '\n' <"$dir/err" >"$dir/lines"
grep -q '^pass 1 of 2 .*100 %  30 pictures' "$dir/lines" || fail "no first pass: $(cat "$dir/lines")"
grep -q '^pass 2 of 2 .*100 %  30 pictures' "$dir/lines" || fail "no second: $(cat "$dir/lines")"
"$compare" --quiet "$dir/two.mkv" "$dir/clip.mkv" --json - | grep -c '"number":' | grep -qx 30 ||
    fail "two passes: not 30 pictures"

if command -v ffmpeg >/dev/null; then
    said=$(ffmpeg -v warning -i "$dir/layered.mkv" -f null - 2>&1 </dev/null)
    [ -z "$said" ] || fail "ffmpeg: $said"
    ffmpeg -v warning -i "$dir/layered.mkv" -c copy "$dir/copy.mkv" </dev/null
    "$compare" --quiet "$dir/copy.mkv" "$dir/clip.mkv" --json "$dir/copy.json"
    cmp "$dir/compare.json" "$dir/copy.json" || fail "a copied file is another stream"
fi
