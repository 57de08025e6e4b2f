#!/bin/bash
# boot.sh - boot a kernel under qemu, run one program in it, hand back its output and its exit status.
#
# Usage: boot.sh [-m MB] [-c CPUS] [-t SECONDS] [-p CPU] [-a KERNEL-ARGS] [-l LOGDIR] VMLINUZ PAYLOADDIR [ARG...]
#   -m 1024  memory            -c 2  processors               -t 300  time-out, boot included
#   -p CPU   qemu's CPU model  -a ARGS  more for the kernel's command line
#   -l DIR   keep the kernel's messages in DIR/console
# The guest has PAYLOADDIR as /payload, with PAYLOADDIR/root, if there is one, laid over /. It runs /payload/run ARG... (no
# ARG may hold a newline) as root in /payload with /dev/null as stdin. init.sh says what is mounted.
# ACCEL=kvm or ACCEL=tcg in the environment overrides the choice.
#
# Prints what /payload/run prints (stdout and stderr in one), as it comes. stderr: why the guest died.
# Exit status: that of /payload/run; 2 bad usage; 124 out of time; 125 the guest died (or qemu did not start).
# A guest that dies before it has printed anything gets one more chance.
set -u

usage() { sed -n '/^# Usage/,/^#   -l/s/^# \{0,1\}//p' "$0" >&2; exit 2; }

make_initramfs() {
	local root=$work/root arg

	mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,dev,proc,sys,tmp,run,etc,root,payload}
	cp -L "$(command -v busybox)" "$root/bin/busybox" && cp "$here/init.sh" "$root/init" &&
	cp -rL "$payload/." "$root/payload/" || return
	if [ -d "$payload/root" ]; then
		rm -r "$root/payload/root"
		cp -rL "$payload/root/." "$root/" || return
	fi
	for arg; do printf '%s\n' "$arg"; done > "$root/args"
	# Not compressed: under TCG, unpacking costs more than reading.
	(cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) > "$work/initramfs" && rm -r "$root"
}

# Three serial ports: the kernel's messages, the payload's output, the payload's status.
boot() {
	local rc

	rm -f "$work/status"
	: > "$work/console"; : > "$work/out"
	timeout -k 3 "$limit" qemu-system-x86_64 -accel "$accel" -cpu "$cpu" -m "$mem" -smp "$cpus" \
		-nodefaults -no-reboot -display none -kernel "$kernel" -initrd "$work/initramfs" \
		-append "console=ttyS0 quiet panic=-1 oops=panic cryptomgr.notests $kargs" -serial "file:$work/console" \
		-serial "file:$work/out" -serial "file:$work/status" > "$work/qemu" 2>&1 < /dev/null &
	vm=$!
	tail -c +1 -s 0.1 --pid=$vm -f "$work/out" &
	wait $vm; rc=$?
	vm=
	wait
	return $rc
}

mem=1024 cpus=2 limit=300 cpu='' kargs='' logs='' vm=''
while getopts m:c:t:p:a:l: option; do
	case $option in
	m) mem=$OPTARG ;;
	c) cpus=$OPTARG ;;
	t) limit=$OPTARG ;;
	p) cpu=$OPTARG ;;
	a) kargs=$OPTARG ;;
	l) logs=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 2 ] || usage
kernel=$1 payload=$2
shift 2
for f in "$kernel" "$payload/run"; do
	[ -e "$f" ] || { echo "boot.sh: no $f" >&2; exit 2; }
done

here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d) || exit 125
trap '[ -z "$vm" ] || kill "$vm"; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

# /dev/kvm alone says little: in a VM it can be there, and even start a guest, that then hangs. With KVM that works the
# processor shows its virtualization extension.
if [ -z "${ACCEL-}" ]; then
	ACCEL=tcg
	[ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo && ACCEL=kvm
fi
# thread=multi now and then trips over the kernel's code patching itself (1 or 2 boots of 100).
accel=$ACCEL
if [ "$ACCEL" = tcg ]; then
	accel=tcg,thread=single
	# qemu 7.2's cmpxchg16b can spoil the flags, and 6.12's slab allocator dies of that.
	: "${cpu:=max,cx16=off}"
fi
: "${cpu:=max}"

make_initramfs "$@" || { echo 'boot.sh: cannot make the initramfs' >&2; exit 125; }
boot; rc=$?
if [ $rc != 124 ] && ! [ -s "$work/out" ] && ! [ -s "$work/status" ]; then
	echo 'boot.sh: the guest died before it printed anything; once more' >&2
	boot; rc=$?
fi
[ -z "$logs" ] || { mkdir -p "$logs" && cp "$work/console" "$logs/console"; }

status=$(tr -dc 0-9 < "$work/status")
[ -z "$status" ] || exit "$status"
if [ $rc = 124 ]; then
	echo "boot.sh: not done in $limit s" >&2
	exit 124
fi
echo "boot.sh: the guest died (qemu's status $rc); the end of its console:" >&2
tail -q -n 60 "$work/console" "$work/qemu" >&2
exit 125
