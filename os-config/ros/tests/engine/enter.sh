#!/bin/sh
# Makes a machine's root below $WORK, and becomes the machine's process 1, which starts the command line $@ and reaps
# orphans. `sandbox.rs` runs this in namespaces of its own: nothing here reaches the host, and everything goes away with
# the process.
set -eu
root=$WORK/root
mount -t tmpfs -o mode=0755 tmpfs "$WORK"
mkdir "$root" "$WORK/upper" "$WORK/work"
mount -t overlay -o "lowerdir=$OS_TREE,upperdir=$WORK/upper,workdir=$WORK/work" overlay "$root"
# The container images' lowest layer is this root: the program under test is in them too.
cp "$ROS" "$root/usr/bin/ros"
cp "$OS_CONFIG" "$root/usr/share/ros/os-config.yml"

mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount --bind /proc/sys/net "$root/proc/sys/net"
mount --bind "$KERNEL_LINE" "$root/proc/cmdline"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -o remount,bind,ro "$root/sys"
# cgroup v2: a group that hands controllers on holds no process itself.
mkdir "$root/sys/fs/cgroup/init"
echo $$ >"$root/sys/fs/cgroup/init/cgroup.procs"
for controller in $(cat "$root/sys/fs/cgroup/cgroup.controllers"); do
	echo "+$controller" >"$root/sys/fs/cgroup/cgroup.subtree_control"
done

mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
for node in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
	IFS=: read -r name major minor <<-END
		$node
	END
	mknod -m 666 "$root/dev/$name" c "$major" "$minor"
done
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
# Lines for the kernel's consoles and log land in files.
for console in $(cat /sys/class/tty/console/active) console kmsg; do
	: >"$root/dev/$console"
done

for folder in run tmp mnt media state; do
	mount -t tmpfs -o mode=0755 tmpfs "$root/$folder"
	mount --make-shared "$root/$folder"
done
chmod 1777 "$root/tmp"
mkdir -p "$root/state/var/lib/docker" "$root/run/system-docker" "$root/run/ros/done" "$root/run/ros/stopped" "$root/run/user-docker" "$root/run/log"
ln -s user-docker/docker.sock "$root/run/docker.sock"
cp -a "$root/var/lib/." "$root/state/var/lib"
mount --bind "$root/state/var/lib" "$root/var/lib"
mount -t tmpfs -o mode=0711 tmpfs "$root/var/lib/system-docker"
# As PID 1 writes it: System Docker does not read User Docker's file.
echo '{}' >"$root/run/system-docker/daemon.json"

# The shipped images, as PID 1 lays them: their metadata is copied, their layers are linked to.
shipped=/usr/share/ros/system-docker
mount --bind -o ro "$IMAGE_STORE" "$root$shipped"
data=$root/var/lib/system-docker
cp -a "$root$shipped/image" "$data/image"
mkdir "$data/overlay2"
cp -a "$root$shipped/overlay2/l" "$data/overlay2/l"
for layer in "$root$shipped"/overlay2/*/; do
	name=$(basename "$layer")
	[ "$name" != l ] || continue
	mkdir "$data/overlay2/$name"
	for file in link lower committed; do
		[ ! -e "$layer/$file" ] || cp "$layer/$file" "$data/overlay2/$name/"
	done
	# The lowest layer is the root itself.
	if [ -L "$layer/diff" ]; then target=$(readlink "$layer/diff"); else target=$shipped/overlay2/$name/diff; fi
	ln -s "$target" "$data/overlay2/$name/diff"
done
# PID 1 and the network container write these.
echo test >"$root/etc/hostname"
echo 127.0.0.1 localhost test >"$root/etc/hosts"
: >"$root/etc/resolv.conf"
cd "$root"
mkdir host
pivot_root . host
umount -l host
rmdir host
mount --make-shared /
hostname test
ip link set lo up
# crun sets limits of the controller `io`. A host that keeps its controllers in cgroup v1 has none left for it; runc
# does without.
runtime=runc
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
	[ "$controller" != io ] || runtime=crun
done
exec /usr/bin/tini -- "$@" --add-runtime=crun=/usr/bin/crun --default-runtime=$runtime >/var/log/system-docker.log 2>&1
