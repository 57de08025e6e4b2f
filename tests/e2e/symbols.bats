#!/usr/bin/env bats
# Symbols, inlined functions and source lines are those that LLVM finds, at addresses throughout a file.

load lib

TOOLS=${TOOLS:-$PROGS/../tools}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

# text_of FILE STEP: addresses throughout .text
text_of() {
	local start size
	read -r start size < <(readelf -SW "$1" | sed 's/\[ */[/' | awk '$2 == ".text" { print $4, $6 }')
	at_least "size of .text of $1" $((16#$size)) 1 || return
	seq $((16#$start)) "$2" $((16#$start + 16#$size - 1)) | xargs printf '%x\n'
}

# ours FILE, theirs FILE: for addresses on stdin "address file:line" a frame, or "address function"; a path is its
# last part, as libdw leaves out the directory of the compilation. (binutils 2.40 names a
# wrong file for functions that were split.)
ours() {
	cat > addresses
	"$TOOLS/symbols" "$1" < addresses | awk -F '\t' '
		BEGIN { getline address < "addresses" }
		!NF { getline address < "addresses"; next }
		{
			sub(/ \(inlined\)$/, "", $2); sub(/.*\//, "", $2); sub(/\+0x[0-9a-f]+$/, "", $1)
			print address, $2 > "our-lines"; print address, $1 > "our-names"
		}'
}

theirs() {
	sed 's/^/0x/' addresses | llvm-symbolizer --output-style=GNU -afiCe "$1" | awk '
		/^0x/ { address = substr($0, 3); sub(/^0+/, "", address); next }
		!name { name = $0; next }
		{
			sub(/ \(discriminator.*/, ""); sub(/.*\//, ""); sub(/:\?$/, ":0")
			print address, $0 > "their-lines"; print address, name > "their-names"; name = ""
		}'
}

# same_lines: frame by frame; where there is only the name of the object file, there is no line.
same_lines() {
	sed -i -E 's/ [^ ]*:0$/ ??:0/' our-lines their-lines
	diff our-lines their-lines > lines.diff || { head lines.diff; fail 'lines differ'; }
}

# same_as_llvm FILE STEP: the same lines; and the same names, but for those of clones (foo.part.0), of the padding between functions, which belongs to none, and of spaces.
same_as_llvm() {
	text_of "$1" "$2" | ours "$1"
	theirs "$1"
	at_least 'addresses' "$(wc -l < addresses)" 20
	same_lines
	sed -i -E 's/( \()?\.(part|isra|constprop|cold)[.0-9a-z]*\)?//; s/ \[clone.*//; s/ //2g' our-names their-names
	paste -d '|' our-names their-names | awk -F '|' '$1 != $2 && $1 !~ /\?\?$/' > names.diff
	[[ ! -s names.diff ]] || { head names.diff; fail 'names differ'; }
}

@test "C: functions, inlined ones, and lines are those of LLVM" {
	same_as_llvm "$PROGS/storm" 7
	same_as_llvm "$PROGS/vmas" 5
}

@test "functions are those of nm" {
	nm --defined-only "$MEMTRACE" | awk '$2 ~ /^[Tt]$/ { print $1, $3 }' > nm
	awk '{ print $1 }' nm | "$TOOLS/symbols" "$MEMTRACE" |
		awk -F '\t' '$2 !~ /inlined/ && NF { sub(/\+0x0$/, "", $1); print $1 }' > got
	at_least 'functions' "$(wc -l < got)" 50
	# An address that has several names gets one of them.
	awk 'NR == FNR { names[$1] = names[$1] " " $2 " "; address[FNR] = $1; next }
		index(names[address[FNR]], " " $1 " ") == 0 { print address[FNR], $0, names[address[FNR]]; }' nm got > wrong
	[[ ! -s wrong ]] || { head wrong; fail 'other functions than those of nm'; }
}

@test "C++: functions, inlined ones, and lines are those of LLVM" {
	cat > a.cc <<-'END'
		#include <map>
		#include <string>
		namespace n { template <typename T> struct s { T t; static T get(const T &x) { return x + x; } }; }
		int main(int argc, char **argv)
		{
			std::map<std::string, int> map;
			for (int i = 0; i < argc; i++)
				map[argv[i] + n::s<std::string>::get("x")] += i;
			auto twice = [&](int i) { return 2 * i + (int)map.size(); };
			return twice(argc) & 1;
		}
	END
	g++ -O2 -g -o a a.cc
	same_as_llvm "$PWD/a" 3
}

@test "Rust: functions, inlined ones, and lines are those of LLVM" {
	command -v rustc > /dev/null || skip 'no rustc'
	cat > a.rs <<-'END'
		mod shapes {
		    pub struct Square(pub u64);
		    impl Square {
		        pub fn area(&self) -> u64 { std::hint::black_box(self.0) * self.0 }
		    }
		}
		#[inline(never)]
		pub fn total(v: &[shapes::Square]) -> u64 { v.iter().map(|s| s.area()).sum() }
		fn main() { println!("{}", total(&[shapes::Square(3), shapes::Square(4)])); }
	END
	rustc -O -g -o a a.rs
	nm -S a | awk '$4 ~ /total/ { print $1, $2 }' > total
	read -r start size < total
	seq $((16#$start)) $((16#$start + 16#$size - 1)) | xargs printf '%x\n' | ours a
	theirs a
	same_lines
	# LLVM 14 shows the older of the two manglings as it is.
	addr2line -fiCe a < addresses | awk 'NR % 2' > their-names
	cut -d ' ' -f 2- our-names | diff - their-names > names.diff || { head names.diff; fail 'names differ'; }
	grep -q 'shapes::Square::area' our-names
}
