# Installs the system to the file of a disk, with the `ros install` of the OS tree, as a machine does.
# Runs in its own mount namespace, which ends its mounts with it.
# usage: disk <OS tree> <folder with slot.img, efi.img and images/> <disk to make> <size>
tree=$1 medium=$2 disk=$3 size=$4
mkdir -p "$disk.mnt"
trap 'cd /; umount --lazy "$disk.mnt"; rmdir "$disk.mnt"' EXIT
mount -t tmpfs tmpfs "$disk.mnt"
mkdir "$disk.mnt/upper" "$disk.mnt/work" "$disk.mnt/root"
root=$disk.mnt/root
mount -t overlay -o "lowerdir=$tree,upperdir=$disk.mnt/upper,workdir=$disk.mnt/work" overlay "$root"
for folder in run tmp; do mount -t tmpfs tmpfs "$root/$folder"; done
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mkdir -p "$root/run/ros/medium/paddock"
mount --bind "$medium" "$root/run/ros/medium/paddock"
truncate --size="$size" "$disk"
touch "$root/run/disk"
mount --bind "$disk" "$root/run/disk"
chroot "$root" /usr/bin/ros install --yes --device /run/disk
