#!/bin/sh
# Every codec in every kind of file that carries it, as FFmpeg's own programs see it: no warning, every
# picture, the sound where there can be any; whole, with fewer layers, and with losses.
# Arguments: svc-testclip svc-encode svc-cut
set -eu
clip=$1 encode=$2 cut=$3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() { echo "FAIL: $*" >&2; exit 1; }

command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null || exit 77

# check FILE PICTURES: no word of warning, and all decoded; half a second of sound is 25 packets, of
# which a player may leave out the one that begins before the pictures.
check() {
    seen=${1##*/}
    said=$(ffprobe -v warning -count_frames -show_entries stream=codec_type,nb_read_frames \
        -of csv=p=0 "$1" 2>"$dir/warnings" | tr '\n' ' ')
    [ ! -s "$dir/warnings" ] || fail "ffprobe, $seen: $(cat "$dir/warnings")"
    case $seen:$said in
    *.ivf:"video,$2 " | *.obu:"video,$2 ") ;;
    *.ivf:* | *.obu:*) fail "$seen: $said" ;;
    *:"video,$2 audio,"2[456]" ") ;;
    *) fail "$seen: $said" ;;
    esac
    said=$(ffmpeg -v warning -i "$1" -f null - 2>&1 </dev/null)
    [ -z "$said" ] || fail "ffmpeg, $seen: $said"
}

"$clip" --size 320x192 --duration 0.5 "$dir/clip.mkv"
for row in "av1 mkv webm mp4 ivf obu" "vp9 mkv webm mp4 ivf" "h264 mkv mp4"; do
    codec=${row%% *}
    for kind in ${row#* }; do
        file=$dir/$codec
        "$encode" --quiet --codec "$codec" --bitrate 50,100,200 --key-interval 8 "$dir/clip.mkv" \
            "$file.$kind"
        check "$file.$kind" 15
        "$cut" --quiet --temporal 0 --drop S1=10,S2=20 "$file.$kind" "$file-less.$kind"
        check "$file-less.$kind" 8
    done
done
