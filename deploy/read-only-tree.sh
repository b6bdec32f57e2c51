#!/bin/sh
# Run a command as an unprivileged user in a tree of its own that is read-only but for /tmp and /data, as the image is:
#   VISIBLE="folders, one a line" unshare --mount --propagation private sh deploy/read-only-tree.sh EMPTY_DIR UID COMMAND...
# Needs root on Linux. The tree holds the host's /usr and its like, and the VISIBLE folders, all mounted read-only.
set -eu
new=$1 user=$2
shift 2

show() {
	mkdir -p "$new$1"
	mount --bind "$1" "$new$1"
	mount -o remount,bind,ro "$new$1"
}

mount -t tmpfs -o mode=755 tmpfs "$new"
mkdir -p "$new/proc" "$new/dev" "$new/tmp" "$new/data"
for each in /usr /lib /lib64 /bin /sbin /etc; do [ -d "$each" ] && show "$each"; done
mount --rbind /dev "$new/dev"
mount --bind /proc "$new/proc"
mount -t tmpfs -o mode=1777 tmpfs "$new/tmp"
mount -t tmpfs -o "mode=700,uid=$user,gid=$user" tmpfs "$new/data"
printf '%s\n' "$VISIBLE" | while read -r each; do show "$each"; done
mount -o remount,ro "$new"

exec chroot "$new" setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
	sh -c 'if touch /here 2>/dev/null; then echo "the tree is writable" >&2; exit 9; fi; cd /data; exec "$@"' start "$@"
