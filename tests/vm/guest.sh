#!/bin/bash
# guest.sh - what runs in the guest: the smoke test, or the files named.
#
# Usage: /payload/run [FILE...]        tests/vm/smoke.sh or of tests/e2e (run.sh makes the payload, boot.sh runs this)
# Prints 'ok COMMAND: WHAT' or 'not ok COMMAND: WHAT' for each check, as smoke.sh does; for an e2e file, COMMAND is its name.
# Exit status: 0 no check failed; otherwise some did.
set -u

# zram serves the tests as swap, and here as the disk that a major fault needs.
make_disk() {
	local module

	while read -r module; do
		insmod "/payload/modules/$module" || return
	done < /payload/modules/order
	mkdir -p /var/tmp
	echo 256M > /sys/block/zram0/disksize && mkfs.ext4 -q /dev/zram0 && mount -t ext4 /dev/zram0 /var/tmp
}

run_files() {
	local file name status=0

	for file; do
		if [[ $file == *.sh ]]; then
			"$file" || status=1
			continue
		fi
		name=$(basename "$file" .bats)
		bats --tap "$file" | sed -uE "s/^(not ok|ok) [0-9]+ /\1 $name: /; /^1\.\.[0-9]+$/d"
		[ "${PIPESTATUS[0]}" = 0 ] || status=1
	done
	return $status
}

echo "# kernel $(uname -r)"
make_disk || echo '# no disk'
cd /memtrace || exit
export BOUND=120 # seconds for one run of memtrace: emulation is slow
[ $# != 0 ] || set -- tests/vm/smoke.sh
run_files "$@"
