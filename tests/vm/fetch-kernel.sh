#!/bin/bash
# fetch-kernel.sh - fetch one of Debian's kernels, for boot.sh.
#
# Usage: fetch-kernel.sh VERSION OUTDIR
#   VERSION  5.10, 6.1, 6.12, or 7.2 (also called sid: whatever is newest there)
# Leaves in OUTDIR/VERSION:
#   vmlinuz       the kernel as packaged
#   vmlinux       the same unpacked, which takes 6 s under TCG (qemu boots it through its PVH entry)
#   modules/      zram, ext4 and the modules they need, unpacked; modules/order names them in the order to load them
#   package       the package that they come from
# If sid has moved on from 7.2, the directory has the name of its real series, and OUTDIR/VERSION is a link to it.
# The mirror is the one that apt is configured to take this Debian release from, or $DEBIAN_MIRROR. apt's own lists, state and
# cache are left alone. What is there already is not fetched again: then no network is needed.
#
# A network that fails for a moment is asked again, for about two minutes; TRIES in the environment says how often (4).
#
# Prints nothing; progress and errors on stderr. Exit status: 0 it is there; 1 it is not; 2 bad usage.
set -euo pipefail

die() { echo "fetch-kernel.sh: $1" >&2; exit "${2:-1}"; }

find_mirror() {
	local codename

	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		awk -v codename="$codename" '$1 == codename && $2 == "main" && !uri { uri = $3 } END { print uri }'
}

# apt_init DIR SUITE: from here on apt sees nothing but SUITE, and keeps everything in DIR.
apt_init() {
	local dir=$1 suite=$2 options=check-valid-until=no keyring

	mirror=${DEBIAN_MIRROR:-$(find_mirror)}
	[ -n "$mirror" ] || die 'no Debian mirror in the sources of apt: set DEBIAN_MIRROR'
	for keyring in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
		if [ -e "$keyring" ]; then options+=" signed-by=$keyring"; break; fi
	done
	mkdir -p "$dir"/{lists,archives}/partial "$dir/none"
	: > "$dir/status"
	echo "deb [$options] $mirror $suite main" > "$dir/sources.list"
	cat > "$dir/apt.conf" <<-END
		Dir::Etc { SourceList "$dir/sources.list"; SourceParts "$dir/none"; PreferencesParts "$dir/none"; };
		Dir::State "$dir";
		Dir::State::Lists "$dir/lists";
		Dir::State::Status "$dir/status";
		Dir::Cache "$dir";
		Acquire::Languages "none";
		Acquire::Retries "3";
		APT::Architecture "amd64";
		APT::Architectures { "amd64"; };
		APT::Sandbox::User "root";
	END
	export APT_CONFIG=$dir/apt.conf
}

# retried WHAT COMMAND...: until it succeeds, with longer and longer pauses. What apt says is shown if it never does.
retried() {
	local what=$1 pause=10 try

	shift
	for ((try = 1; try <= ${TRIES:-4}; try++)); do
		if [ $try -gt 1 ]; then
			echo "fetch-kernel.sh: $what failed; again in $pause s" >&2
			sleep $pause
			pause=$((pause * 2))
		fi
		! "$@" > "$work/said" 2>&1 || return 0
	done
	cat "$work/said" >&2
	return 1
}

# apt-get update takes lists that could not be fetched for a warning.
update() { apt-get -qq --error-on=any update; }

# shellcheck disable=SC2086 # one word a package
download() { cd "$work/debs" && apt-get -qq download $packages; }

# The packages of the current kernel: one up to 6.12, then an image that is empty and needs a binary, a base and modules.
# (linux-base without a version is a package of scripts.)
kernel_packages() {
	apt-cache depends --recurse --important linux-image-amd64 | grep -E '^linux-(image|binary|base|modules)-[0-9]' | sort -u
}

# unpack_vmlinux VMLINUZ: the boot protocol's header says where the compressed kernel is; its last 4 bytes are its size.
unpack_vmlinux() {
	local sectors offset length magic unpack='xz -dc --single-stream'

	sectors=$(od -An -tu1 -j 0x1f1 -N1 "$1")
	offset=$(od -An -tu4 -j 0x248 -N4 "$1")
	length=$(od -An -tu4 -j 0x24c -N4 "$1")
	offset=$(((sectors + 1) * 512 + offset))
	magic=$(od -An -tx4 -j "$offset" -N4 "$1")
	[ "$magic" != ' fd2fb528' ] || unpack='zstd -dcq'
	# The subshell ignores tail's SIGPIPE: head stops before the end.
	{ tail -c "+$((offset + 1))" "$1" || true; } | head -c "$((length - 4))" | $unpack
}

# add_module NAME: put NAME into modules/ after what it depends on. A module that is not there is built in.
add_module() {
	local file out=$new/modules/$1.ko name

	file=$(find "$work" -name "${1//_/[-_]}.ko*" -print -quit)
	[ -n "$file" ] && ! [ -e "$out" ] || return 0
	case $file in
	*.xz) xz -dc "$file" > "$out" ;;
	*) cp "$file" "$out" ;;
	esac
	for name in $(tr '\0' '\n' < "$out" | LC_ALL=C sed -n 's/^depends=//p' | tr , ' '); do
		add_module "$name"
	done
	echo "$1.ko" >> "$new/modules/order"
}

[ $# = 2 ] || die 'usage: fetch-kernel.sh VERSION OUTDIR' 2
version=$1
case $version in
5.10) suite=bullseye ;;
6.1) suite=bookworm ;;
6.12) suite=trixie ;;
7.2 | sid) suite=sid ;;
*) die "no suite known for kernel $version" 2 ;;
esac
mkdir -p "$2"
out=$(readlink -f "$2")
[ ! -e "$out/$version/vmlinux" ] || exit 0

work=$(mktemp -d "$out/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
new=$work/new
mkdir -p "$work/debs" "$new/modules"

echo "fetch-kernel.sh: $version from $suite" >&2
apt_init "$work/apt" "$suite"
retried "asking $mirror for $suite" update ||
	die "kernel $version: $mirror has no $suite any more, or cannot be reached (DEBIAN_MIRROR names another)"
packages=$(kernel_packages) || die "kernel $version: $suite of $mirror has no linux-image-amd64"
(retried "downloading ${packages//$'\n'/ } from $mirror" download) ||
	die "kernel $version: $mirror does not have ${packages//$'\n'/ } any more, or cannot be reached (DEBIAN_MIRROR names another)"
for deb in "$work"/debs/*.deb; do
	dpkg-deb -x "$deb" "$work/unpacked"
done

vmlinuz=$(find "$work/unpacked" -type f -name 'vmlinuz*' -print -quit)
[ -n "$vmlinuz" ] || die "no vmlinuz in: ${packages//$'\n'/ }"
cp "$vmlinuz" "$new/vmlinuz"
unpack_vmlinux "$vmlinuz" > "$new/vmlinux"
# ext4 asks for crc32c by its alias, not as a dependency.
for module in zram crc32c_generic ext4; do
	add_module "$module"
done
image=$(find "$work/debs" -name 'linux-image-*.deb' -print -quit)
# shellcheck disable=SC2016 # dpkg's own variables
dpkg-deb -W --showformat '${Package} ${Version}\n' "$image" > "$new/package"

series=$(sed -E 's/^[^ ]* ([0-9]+\.[0-9]+).*/\1/' "$new/package")
mv -T "$new" "$out/$series"
if [ "$series" != "$version" ]; then
	echo "fetch-kernel.sh: $suite is at $series: $version is a link to it" >&2
	ln -sfn "$series" "$out/$version"
fi
