#!/bin/sh
# svc-info and svc-cut end to end: usage, tables, what is cut decodes without a word, and a delivery log.
# Arguments: svc-testclip svc-encode svc-compare svc-info svc-cut
set -eu
clip=$1 encode=$2 compare=$3 info=$4 cut=$5
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

whole() { # whole FILE: everything in it can be decoded
    "$info" --json "$1" | grep -q '"undecodable_units": 0' || fail "$1 is not whole"
}

for tool in "$info" "$cut"; do
    "$tool" --help | grep -q Usage: || fail "$tool --help"
    "$tool" --version | grep -q '^svc-' || fail "$tool --version"
    expect 64 "$tool" --nonsense
    expect 64 "$tool"
    expect 64 "$tool" a b c
done
for drop in 101 -1 x S1 S4=1 S1=x S1=1, =5 S1T4=2; do
    expect 64 "$cut" --drop "$drop" a b
done
expect 64 "$cut" --spatial 4 a b
expect 64 "$cut" --seed
expect 1 "$info" /nowhere/x.mkv
expect 1 "$cut" /nowhere/x.mkv "$dir/y.mkv"

"$clip" --size 320x192 --duration 1 "$dir/clip.mkv"
"$encode" --quiet --bitrate 50,100,200 --key-interval 0.5s "$dir/clip.mkv" "$dir/in.mkv"
expect 1 "$info" /dev/null
expect 1 "$cut" "$dir/in.mkv" /nowhere/out.mkv
expect 1 "$cut" --drop 100 "$dir/in.mkv" "$dir/out.mkv"

"$info" "$dir/in.mkv" | grep -q 'L3T2 with long-term' || fail "structure: $("$info" "$dir/in.mkv")"
"$info" "$dir/in.mkv" | grep -q '^S2T1 *320x192' || fail "layers"
"$info" "$dir/in.mkv" | grep -q '^sound: Opus' || fail "sound"
[ "$("$info" --units "$dir/in.mkv" | grep -c 'S[0-9]@[0-9]')" -eq 88 ] || fail "units: 2 of 90 read nothing"
[ "$("$info" --json --units "$dir/in.mkv" | grep -c '"refreshes"')" -eq 90 ] || fail "units as JSON"

# Nothing left out: the same stream, in each container.
"$compare" --quiet "$dir/in.mkv" "$dir/clip.mkv" --json "$dir/in.json"
for kind in mkv mp4 webm ivf obu; do
    "$cut" --quiet "$dir/in.mkv" "$dir/all.$kind"
    "$compare" --quiet "$dir/all.$kind" "$dir/clip.mkv" --json "$dir/all.json"
    sed 's/"pts_us":[0-9]*,//' "$dir/in.json" >"$dir/a"
    sed 's/"pts_us":[0-9]*,//' "$dir/all.json" >"$dir/b"
    cmp -s "$dir/a" "$dir/b" || fail "$kind is another stream"
    if command -v ffprobe >/dev/null; then
        n=$(ffprobe -v error -count_frames -select_streams v -show_entries stream=nb_read_frames \
            -of csv=p=0 "$dir/all.$kind")
        [ "${n%%,*}" = 30 ] || fail "ffprobe counts $n pictures in $kind"
    fi
done

# Layers.
said=$("$cut" --spatial 1 --temporal 0 "$dir/in.mkv" "$dir/low.mkv" 2>&1)
echo "$said" | grep -q '16 of 30 pictures, 32 of 90 units; left out 58, not decodable 0' ||
    fail "layers: $said"
"$info" "$dir/low.mkv" | grep -q 'L2T1' || fail "low: $("$info" "$dir/low.mkv")"
"$info" "$dir/low.mkv" | grep -q '^160x96, 15 ' || fail "low: $("$info" "$dir/low.mkv")"
whole "$dir/low.mkv"

# What svc-compare says of a file.
judge() { # judge FILE [option...]
    file=$1; shift
    "$compare" --quiet --summary "$dir/summary.json" "$@" "$file" "$dir/clip.mkv" ||
        fail "compare $file"
}
said_of() { # said_of KEY: all values of that key in the last summary
    sed -n "s/^ *\"$1\": \([^,]*\),*$/\1/p" "$dir/summary.json" | tr '\n' ' '
}
is() { [ "$2" = "$3" ] || fail "$1: $2, not $3"; }

judge "$dir/in.mkv"
is "all of AV1" "$(said_of shown) $(said_of judge)" '30 0 0 30  "libaom" '
whole_ssim=$(said_of ssim_y | cut -c 1-3)
judge "$dir/low.mkv"
is "half the pictures" "$(said_of frozen) $(said_of shown)" "14  16 0 16 "
"$encode" --quiet --fps 15 --bitrate 50,100,200 "$dir/clip.mkv" "$dir/slow.mkv"
judge "$dir/slow.mkv" --fps 15
is "as fast as it is" "$(said_of frozen)" "0 "
judge "$dir/slow.mkv"
is "as fast as the source" "$(said_of frozen)" "14 "
"$compare" "$dir/low.mkv" "$dir/clip.mkv" | grep -Eq '^S1 +160x96 +16 .* 16 +53.3 %' ||
    fail "table: $("$compare" "$dir/low.mkv" "$dir/clip.mkv")"

# Other codecs, from encoder to cut; the judges find nothing to complain of in what is left.
for codec in vp9 h264; do
    "$encode" --quiet --codec $codec --bitrate 50,100,200 --key-interval 0.5s "$dir/clip.mkv" \
        "$dir/$codec.mp4"
    "$info" "$dir/$codec.mp4" | grep -Eq 'mp4, (vp09.*L3T2|avc3.*L1T2)' ||
        fail "$codec: $("$info" "$dir/$codec.mp4")"
    "$cut" --quiet --drop 10 "$dir/$codec.mp4" "$dir/$codec.mkv"
    whole "$dir/$codec.mkv"
    "$compare" --quiet --json "$dir/x.json" "$dir/$codec.mkv" "$dir/clip.mkv" ||
        fail "$codec with losses"
    if command -v ffprobe >/dev/null; then
        n=$(ffprobe -v error -count_frames -select_streams v -show_entries stream=nb_read_frames \
            -of csv=p=0 "$dir/$codec.mp4")
        [ "${n%%,*}" = 30 ] || fail "ffprobe counts $n pictures of $codec"
    fi
done
judge "$dir/vp9.mp4"
is VP9 "$(said_of shown) $(said_of judge)" '30 0 0 30  "libavcodec" '
judge "$dir/h264.mp4"
is H.264 "$(said_of shown) $(said_of judge)" '30 30  "OpenH264" '
"$info" "$dir/vp9.mp4" | grep -q '^S1T1  S1T0 =S0T1$' || fail "reads: $("$info" "$dir/vp9.mp4")"
"$info" --json "$dir/h264.mp4" | grep -c '"same_picture": false' | grep -qx 2 || fail "reads of H.264"
expect 64 "$encode" --codec theora in out
expect 1 "$encode" --codec h264 --layers L2T1 "$dir/clip.mkv" "$dir/x.mkv"
expect 1 "$encode" --codec vp9 "$dir/clip.mkv" "$dir/x.obu"

# Losses: what is left is whole, the same for the same seed, another for another.
"$cut" --quiet --drop 10 --seed 3 "$dir/in.mkv" "$dir/d3.mkv"
"$cut" --quiet --drop 10 --seed 3 "$dir/in.mkv" "$dir/again.mkv"
"$cut" --quiet --drop 10 --seed 4 "$dir/in.mkv" "$dir/d4.mkv"
for name in d3 again d4; do
    whole "$dir/$name.mkv"
    "$info" --units "$dir/$name.mkv" | grep '^ *[0-9].*S' | md5sum >"$dir/$name.sum"
done
cmp -s "$dir/d3.sum" "$dir/again.sum" || fail "a seed gives two results"
cmp -s "$dir/d3.sum" "$dir/d4.sum" && fail "two seeds give one result"
if command -v ffmpeg >/dev/null; then
    said=$(ffmpeg -v warning -threads 1 -i "$dir/d3.mkv" -f null - 2>&1 </dev/null)
    [ -z "$said" ] || fail "ffmpeg: $said"
fi

# By layer: the last that fits, and what stands on it.
said=$("$cut" --drop S2=100,T1=0 "$dir/in.mkv" "$dir/by.mkv" 2>&1)
echo "$said" | grep -q 'left out 16, not decodable 14 S2 14' || fail "by layer: $said"
said=$("$cut" --drop t1=100 "$dir/in.mkv" "$dir/by.mkv" 2>&1)
echo "$said" | grep -q '16 of 30 pictures, 48 of 90 units; left out 42' || fail "by layer: $said"

# A delivery: all units 20 ms after their time, but S2 of pictures 4 to 7 never, S1 of 10 late.
awk 'BEGIN { for (p = 0; p < 30; p++) for (s = 0; s < 3; s++)
    if (!(s == 2 && p >= 4 && p < 8))
        printf "{\"picture\":%d,\"spatial\":%d,\"at_us\":%d}\n", p, s,
            p * 33333 + (p == 10 && s == 1 ? 340000 : 20000) }' >"$dir/log"
said=$("$cut" --deliver "$dir/log" "$dir/in.mkv" "$dir/came.mkv" 2>&1)
echo "$said" | grep -q 'left out 4,' || fail "delivery: $said"
echo "$said" | grep -q 'late 1' || fail "delivery: $said"
whole "$dir/came.mkv"
"$cut" --quiet --deliver - "$dir/in.mkv" "$dir/piped.mkv" <"$dir/log"
cmp "$dir/came.mkv" "$dir/piped.mkv" 2>/dev/null || fail "a piped log is another"
echo '{"picture":99,"spatial":0,"at_us":1}' >>"$dir/log"
expect 1 "$cut" --deliver "$dir/log" "$dir/in.mkv" "$dir/came.mkv"
echo nonsense >"$dir/log"
expect 1 "$cut" --deliver "$dir/log" "$dir/in.mkv" "$dir/came.mkv"

# The first key picture never came: the file begins with the second one, at the source's 16th picture.
awk 'BEGIN { for (p = 1; p < 30; p++) for (s = 0; s < 3; s++)
    printf "{\"picture\":%d,\"spatial\":%d,\"at_us\":%d}\n", p, s, p * 33333 }' >"$dir/log"
"$cut" --quiet --deliver "$dir/log" "$dir/in.mkv" "$dir/second.mkv"
judge "$dir/second.mkv" --align 20
is "where it begins" "$(said_of begin)" "15 "
awk "BEGIN { d = $(said_of ssim_y | cut -d' ' -f 1) - $whole_ssim; exit !(d > -0.15 && d < 0.15) }" ||
    fail "not as in the whole: $(said_of ssim_y), $whole_ssim"

# A late T0 heals VP9, but is of no use to H.264, whose decoder takes pictures in order only.
for codec in vp9 h264; do
    awk 'BEGIN { for (p = 0; p < 30; p++) for (s = 0; s < ("'$codec'" == "vp9" ? 3 : 1); s++)
        printf "{\"picture\":%d,\"spatial\":%d,\"at_us\":%d}\n", p, s,
            p * 33333 + (p == 6 ? 340000 : 20000) }' >"$dir/log"
    said=$("$cut" --deliver "$dir/log" "$dir/$codec.mp4" "$dir/late.mkv" 2>&1)
    case $codec in
    vp9) echo "$said" | grep -q 'late 3' || fail "late VP9: $said" ;;
    h264) echo "$said" | grep -q '21 of 30 pictures.*not decodable 9 S0 9; late 0' ||
        fail "late H.264: $said" ;;
    esac
    whole "$dir/late.mkv"
    "$compare" --quiet --json "$dir/x.json" "$dir/late.mkv" "$dir/clip.mkv" || fail "late $codec"
    if command -v ffmpeg >/dev/null; then
        said=$(ffmpeg -v warning -i "$dir/late.mkv" -f null - 2>&1 </dev/null)
        [ -z "$said" ] || fail "ffmpeg, late $codec: $said"
    fi
done
