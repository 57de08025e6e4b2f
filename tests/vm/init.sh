#!/bin/busybox sh
# shellcheck shell=dash
# init.sh - the guest's process 1: mount what memtrace and its tests look for, run the payload, switch off.
#
# boot.sh puts it into the initramfs as /init, with the payload's arguments in /args, one a line.
# Prints the payload's output on ttyS1 and its exit status on ttyS2; never returns.

/bin/busybox --install -s 2> /dev/null # what the payload brings itself stays
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr

[ -e /etc/passwd ] || printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' > /etc/passwd
[ -e /etc/group ] || printf 'root:x:0:\nnogroup:x:65534:\n' > /etc/group
hostname guest
ifconfig lo up

set --
while IFS= read -r arg; do set -- "$@" "$arg"; done < /args
stty -F /dev/ttyS1 raw -echo
stty -F /dev/ttyS2 raw -echo
cd /payload || poweroff -f
./run "$@" > /dev/ttyS1 2>&1 < /dev/null
echo $? > /dev/ttyS2
poweroff -f
