/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/elf_file.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util/number.h"

#define COPY_MAX     (1l << 30) /* bytes of a file that others can change */
#define SECTIONS_MAX 65536

/* Debug sections compress to about a third; a bomb of zlib to a thousandth. */
#define COMPRESSION_MAX	  64
#define UNCOMPRESSED_MAX  (8ull << 30)
#define UNCOMPRESSED_FREE (1ull << 20)

/* Who called sudo trusts the own files, too. */
static bool is_caller(uid_t uid)
{
	const char *text = geteuid() ? NULL : getenv("SUDO_UID");
	uint64_t caller;

	return text && !number__parse(text, 0, UINT32_MAX, &caller) && caller == uid;
}

bool elf_file__is_trusted(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid() || is_caller(st->st_uid)) &&
	       !(st->st_mode & (S_IWGRP | S_IWOTH));
}

bool elf_file__is_usable(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) &&
	       (elf_file__is_trusted(&st) || st.st_size <= COPY_MAX);
}

int elf_file__open_regular(const char *path)
{
	struct stat st;
	int fd;

	/* Opening some devices has effects, so it is looked at first; O_NONBLOCK in case it is swapped then.
	 */
	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int new_copy(void)
{
	return memfd_create("memtrace-elf", MFD_CLOEXEC);
}

/* A copy in memory of the file behind fd, which is closed. -1: no memory. */
static int copy(int fd, off_t size)
{
	int to = new_copy();
	off_t at = 0;

	while (to >= 0 && at < size) {
		char buf[65536];
		ssize_t n = pread(fd, buf, sizeof(buf), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0 && write(to, buf, n) == n) {
			at += n;
			continue;
		}
		if (n) {
			close(to);
			to = -1;
		}
		break;
	}
	close(fd);
	return to;
}

/* libelf only maps it, so that fd is not needed any more: a thousand modules are no thousand open files. */
static Elf *map(int fd)
{
	Elf *elf;
	GElf_Ehdr header;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP_PRIVATE, NULL);
	if (elf && (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header) ||
		    (header.e_type != ET_EXEC && header.e_type != ET_DYN) || elf_cntl(elf, ELF_C_FDREAD))) {
		elf_end(elf);
		elf = NULL;
	}
	close(fd);
	return elf;
}

Elf *elf_file__open(int fd)
{
	struct stat st;

	if (!elf_file__is_usable(fd) || fstat(fd, &st)) {
		close(fd);
		return NULL;
	}
	/*
	 * What is mapped raises SIGBUS once its file is cut, and libelf does not expect what it has checked
	 * to change. Root and the user may shoot their own feet only.
	 */
	if (!elf_file__is_trusted(&st))
		fd = copy(fd, st.st_size);
	return fd < 0 ? NULL : map(fd);
}

Elf *elf_file__open_image(const void *image, size_t size)
{
	int fd = new_copy();
	size_t done = 0;

	if (fd < 0)
		return NULL;
	while (done < size) {
		ssize_t n = write(fd, (const char *)image + done, size - done);

		if (n <= 0) {
			close(fd);
			return NULL;
		}
		done += n;
	}
	return map(fd);
}

bool elf_file__build_id(Elf *elf, char text[BUILD_ID_TEXT_MAX])
{
	const void *id;
	ssize_t size = dwelf_elf_gnu_build_id(elf, &id);

	if (size <= 0 || size * 2 >= BUILD_ID_TEXT_MAX)
		return false;
	for (ssize_t i = 0; i < size; i++)
		sprintf(text + 2 * i, "%02x", ((const uint8_t *)id)[i]);
	return true;
}

Elf_Scn *elf_file__section(Elf *elf, const char *name, unsigned type, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;
	size_t strings = 0, left = SECTIONS_MAX;

	if (name && elf_getshdrstrndx(elf, &strings))
		return NULL;
	while (left-- && (section = elf_nextscn(elf, section))) {
		const char *its;

		if (!gelf_getshdr(section, header))
			return NULL;
		if (!name && header->sh_type == type)
			return section;
		its = name ? elf_strptr(elf, strings, header->sh_name) : NULL;
		if (its && !strcmp(its, name))
			return section;
	}
	return NULL;
}

uint64_t elf_file__base(Elf *elf)
{
	GElf_Phdr segment;
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return 0;
	for (size_t i = 0; i < n && gelf_getphdr(elf, i, &segment); i++)
		if (segment.p_type == PT_LOAD)
			return segment.p_vaddr;
	return 0;
}

/* The size of a section once uncompressed, as its header says; 0: it is not compressed. */
static uint64_t uncompressed_size(Elf *elf, Elf_Scn *section, const GElf_Shdr *header, const char *name)
{
	GElf_Chdr compressed;
	Elf_Data *data;
	uint64_t size = 0;

	if (header->sh_flags & SHF_COMPRESSED)
		return gelf_getchdr(section, &compressed) ? compressed.ch_size : UINT64_MAX;
	if (strncmp(name, ".zdebug", 7))
		return 0;
	/* The old GNU way: "ZLIB" and the size, big-endian. */
	data = header->sh_type == SHT_NOBITS ? NULL
					     : elf_getdata_rawchunk(elf, header->sh_offset, 12, ELF_T_BYTE);
	if (!data || data->d_size < 12 || memcmp(data->d_buf, "ZLIB", 4))
		return 0;
	for (int i = 4; i < 12; i++)
		size = size << 8 | ((const uint8_t *)data->d_buf)[i];
	return size;
}

bool elf_file__is_sane(Elf *elf)
{
	uint64_t total = 0;
	size_t strings, left = SECTIONS_MAX;
	Elf_Scn *section = NULL;

	if (elf_getshdrstrndx(elf, &strings))
		return false;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *name;
		uint64_t size;

		if (!left-- || !gelf_getshdr(section, &header))
			return false;
		name = elf_strptr(elf, strings, header.sh_name);
		size = uncompressed_size(elf, section, &header, name ? name : "");
		if (size > UNCOMPRESSED_FREE && size / COMPRESSION_MAX > header.sh_size)
			return false;
		if (__builtin_add_overflow(total, size, &total) || total > UNCOMPRESSED_MAX)
			return false;
	}
	return true;
}
