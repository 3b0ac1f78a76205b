# Loads an unpacked image archive into a fresh image store, with the dockerd of the OS tree.
# Runs in its own mount and process namespace, which ends remaining processes and mounts with it.
# usage: store <OS tree> <archive> <store to make>
tree=$1 archive=$2 store=$3
mkdir -p "$store.mnt"
trap 'cd /; umount --lazy "$store.mnt"; rmdir "$store.mnt"' EXIT
mount -t tmpfs tmpfs "$store.mnt"
mkdir "$store.mnt/upper" "$store.mnt/work" "$store.mnt/root"
root=$store.mnt/root
# dockerd must not write into the tree, and its data must not be on an overlay.
mount -t overlay -o "lowerdir=$tree,upperdir=$store.mnt/upper,workdir=$store.mnt/work" overlay "$root"
mkdir -p "$root/var/lib/docker" "$root/mnt/archive"
for folder in run tmp var/lib/docker; do mount -t tmpfs tmpfs "$root/$folder"; done
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount --bind "$archive" "$root/mnt/archive"

export DOCKER_HOST=unix:///run/docker.sock
chroot "$root" /usr/sbin/dockerd --storage-driver overlay2 --bridge none --iptables=false --ip6tables=false &
daemon=$!
tries=0
until chroot "$root" /usr/bin/docker version >/dev/null 2>&1; do
	tries=$((tries + 1))
	kill -0 "$daemon" && [ "$tries" -lt 300 ] || { echo "dockerd does not answer" >&2; exit 1; }
	sleep 0.2
done
tar -C "$archive" -cf - . | chroot "$root" /usr/bin/docker load
kill "$daemon"
wait "$daemon" || true

data=$root/var/lib/docker
rm -rf "$data/image/overlay2/layerdb/mounts" "$data/image/overlay2/layerdb/tmp"
mkdir -p "$store"
cp -a "$data/image" "$data/overlay2" "$store"
