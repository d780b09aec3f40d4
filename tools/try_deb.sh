#!/bin/sh
# try_deb.sh FOLDER - installs the packages of FOLDER in a bare Debian 12, and uses them there.
#
# FOLDER/base is a minimal Debian, made once (or SVC_DEBIAN_BASE); what happens is in an overlay on
# it, and gone afterwards. Needs root.
set -eu
out=$1
base=${SVC_DEBIAN_BASE:-$out/base}
[ "$(id -u)" = 0 ] || { echo "try_deb: needs root" >&2; exit 1; }
if [ ! -e "$base/etc/debian_version" ]; then
    rm -rf "$base"
    # From where this machine has its packages.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
    debootstrap --variant=minbase bookworm "$base" "$mirror" >"$out/debootstrap.log"
fi

# In a mount namespace of its own: nothing is left behind.
exec unshare --mount --pid --fork --kill-child /bin/sh -eu -s "$out" "$base" <<'END'
out=$1 base=$2
work=$out/try
rm -rf "$work"
mkdir -p "$work"
mount -t tmpfs -o size=3g none "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/work" "$work/root"
root=$work/root
mount -t proc proc "$root/proc"
mount -t tmpfs none "$root/dev"
mkdir "$root/dev/shm"
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/zero" c 1 5
mknod -m 666 "$root/dev/random" c 1 8
mknod -m 666 "$root/dev/urandom" c 1 9
ln -s /proc/self/fd "$root/dev/fd"
echo "127.0.0.1 localhost" >"$root/etc/hosts"
cp /etc/resolv.conf "$root/etc/resolv.conf"
mkdir "$root/debs"
cp "$out"/*.deb "$root/debs"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
cat >"$root/try.sh" <<'TRY'
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
apt-get -qq update >/dev/null
apt-get -qq -y install --no-install-recommends /debs/*.deb openssl gstreamer1.0-tools \
    gstreamer1.0-plugins-base pkg-config gcc libc6-dev >/install.log 2>&1 || { tail -20 /install.log; exit 1; }
svc-server --version
svc-player --version
vmm-shim --version
vmm-shim ps
vmm-shim match >/dev/null
id svc-server
test ! -e /etc/systemd/system/multi-user.target.wants/svc-server.service
test -e /lib/systemd/system/svc-server.service
test -d /etc/svc-suite
cp /usr/share/doc/svc-suite/examples/minimal.yaml /etc/svc-suite/svc-server.yaml
cd /etc/svc-suite
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout server.key -out server.pem 2>/dev/null
chgrp svc-server server.key
chmod 640 server.key
svc-server --check
touch /server.out
svc-server --log info --confine kill >/server.out 2>/server.err & server=$!
n=0
until grep -q ready /server.out; do
    n=$((n + 1))
    [ $n -lt 100 ] && kill -0 $server || { cat /server.err; exit 1; }
    sleep 0.1
done
grep "runs as user svc-server" /server.err
svc-player --headless --ca server.pem --path local=127.0.0.1,name=a --duration 3 --json /play.json \
    moqt://localhost:4433/demo
kill $server
wait $server
grep -o '"frames_shown": *[0-9]*' /play.json
GST_DEBUG='*:WARNING' gst-launch-1.0 -q videotestsrc num-buffers=30 ! svcav1enc ! svcav1dec ! fakesink >/gst.out 2>&1 || { cat /gst.out; exit 1; }
test ! -s /gst.out || { cat /gst.out; exit 1; }
gst-inspect-1.0 tvl | grep "Filename .*/lib/$(gcc -print-multiarch)/gstreamer-1.0/libgsttvl.so"
cp /usr/share/doc/libgsttvl-1.0-dev/examples/layers.c /layers.c
# shellcheck disable=SC2046
cc /layers.c -o /layers $(pkg-config --cflags --libs gstreamer-tvl-1.0)
/layers "videotestsrc num-buffers=30 ! svcav1enc layers=L2T2 ! fakesink name=out" | grep "S1T1: 15 units"
apt-get -qq -y purge svc-suite >/dev/null 2>&1
test ! -e /usr/bin/svc-server
TRY
chroot "$root" sh /try.sh
echo "installed, served, played, removed"
END
