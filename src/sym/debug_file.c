/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libdwfl can do this, too, but opens whatever a file names, be it a FIFO or a device, and asks debuginfod by
 * itself.
 */
#include "sym/debug_file.h"

#include <dlfcn.h>
#include <elfutils/libdwelf.h>
#include <lzma.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "sym/elf_file.h"

#define DEBUG_DIR    "/usr/lib/debug"
#define EMBEDDED_MAX (64u << 20) /* bytes uncompressed; that of a browser takes ten */

/* What a debug file has to have. */
struct proof {
	const char *build_id; /* NULL: the checksum counts */
	uint32_t crc;
};

static bool has_crc(int fd, uint32_t wanted)
{
	unsigned char buf[65536];
	uLong crc = crc32(0, NULL, 0);
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, buf, sizeof(buf), at)) > 0) {
		crc = crc32(crc, buf, n);
		at += n;
	}
	return !n && crc == wanted;
}

static Elf *check(int fd, const struct proof *proof)
{
	char build_id[BUILD_ID_TEXT_MAX];
	Elf *elf;

	if (fd < 0)
		return NULL;
	if (!elf_file__is_usable(fd) || (!proof->build_id && !has_crc(fd, proof->crc))) {
		close(fd);
		return NULL;
	}
	elf = elf_file__open(fd);
	if (elf && proof->build_id &&
	    (!elf_file__build_id(elf, build_id) || strcmp(build_id, proof->build_id))) {
		elf_end(elf);
		elf = NULL;
	}
	return elf;
}

/* A file of the name that is put together, if there is one with the proof. */
static __attribute__((format(printf, 3, 4))) Elf *try(const struct proof *proof, char **path,
						      const char *format, ...)
{
	Elf *elf = NULL;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vasprintf(path, format, arguments);
	va_end(arguments);
	if (n < 0) {
		*path = NULL;
		return NULL;
	}
	elf = check(elf_file__open_regular(*path), proof);
	if (!elf) {
		free(*path);
		*path = NULL;
	}
	return elf;
}

static Elf *by_build_id(const char *root, const char *build_id, char **path)
{
	struct proof proof = {.build_id = build_id};

	if (strlen(build_id) < 3)
		return NULL;
	return try(&proof, path, "%s" DEBUG_DIR "/.build-id/%.2s/%s.debug", root, build_id, build_id + 2);
}

static Elf *by_debuglink(const struct debug_wanted *wanted, const char *root, char **path)
{
	GElf_Word crc = 0;
	const char *name = dwelf_elf_gnu_debuglink(wanted->elf, &crc);
	const char *slash = strrchr(wanted->path, '/');
	struct proof proof = {.build_id = wanted->build_id, .crc = crc};
	int length = slash ? (int)(slash - wanted->path) : 0;
	Elf *elf;

	if (!name || !slash || !*name || strchr(name, '/'))
		return NULL;
	/* With a build ID the file may still be one that was given none: then the checksum has to do. */
	for (int turn = 0; turn < 2; turn++, proof.build_id = NULL) {
		elf = try(&proof, path, "%s%.*s/%s", root, length, wanted->path, name);
		if (!elf)
			elf = try(&proof, path, "%s%.*s/.debug/%s", root, length, wanted->path, name);
		if (!elf)
			elf = try(&proof, path, "%s" DEBUG_DIR "%.*s/%s", root, length, wanted->path, name);
		if (elf || !proof.build_id)
			return elf;
	}
	return NULL;
}

/* libdebuginfod is loaded only for who asked for it: it brings curl with it. */
static Elf *by_debuginfod(const char *build_id, char **path)
{
	void *(*begin)(void), *client, *library;
	int (*find)(void *, const char *, int, char **), fd = -1;
	void (*end)(void *);
	struct proof proof = {.build_id = build_id};
	const char *urls = getenv("DEBUGINFOD_URLS");
	Elf *elf;

	library = urls && *urls ? dlopen("libdebuginfod.so.1", RTLD_LAZY) : NULL;
	if (!library)
		return NULL;
	begin = dlsym(library, "debuginfod_begin");
	find = dlsym(library, "debuginfod_find_debuginfo");
	end = dlsym(library, "debuginfod_end");
	client = begin && find && end ? begin() : NULL;
	*path = NULL;
	if (client) {
		fd = find(client, build_id, 0, path); /* 0: the build ID is hexadecimal */
		end(client);
	}
	elf = check(fd, &proof);
	if (!elf) {
		free(*path);
		*path = NULL;
	}
	return elf; /* the library stays: curl does not like to be unloaded */
}

Elf *debug_file__open(const struct debug_wanted *wanted, char **path)
{
	const char *roots[] = {wanted->root, ""};
	Elf *elf = NULL;

	*path = NULL;
	for (int i = 0; i < 2 && !elf; i++)
		if (roots[i] && wanted->build_id)
			elf = by_build_id(roots[i], wanted->build_id, path);
	for (int i = 0; i < 2 && !elf; i++)
		if (roots[i])
			elf = by_debuglink(wanted, roots[i], path);
	if (!elf && wanted->build_id)
		elf = by_debuginfod(wanted->build_id, path);
	return elf;
}

Elf *debug_file__open_shared(Dwarf *dwarf, const char *path, const char *root, bool *is_wanted)
{
	const void *id;
	const char *name, *slash = strrchr(path, '/');
	ssize_t size = dwelf_dwarf_gnu_debugaltlink(dwarf, &name, &id);
	char build_id[BUILD_ID_TEXT_MAX], *found;
	struct proof proof = {.build_id = build_id};
	Elf *elf;

	*is_wanted = size > 0;
	if (size <= 0 || size * 2 >= BUILD_ID_TEXT_MAX)
		return NULL;
	for (ssize_t i = 0; i < size; i++)
		sprintf(build_id + 2 * i, "%02x", ((const uint8_t *)id)[i]);
	if (name[0] == '/')
		elf = try(&proof, &found, "%s%s", root ? root : "", name);
	else
		elf = try(&proof, &found, "%.*s/%s", slash ? (int)(slash - path) : 0, path, name);
	if (!elf && root)
		elf = by_build_id(root, build_id, &found);
	if (!elf)
		elf = by_build_id("", build_id, &found);
	if (elf)
		free(found);
	return elf;
}

Elf *debug_file__open_embedded(Elf *elf)
{
	GElf_Shdr header;
	Elf_Scn *section = elf_file__section(elf, ".gnu_debugdata", 0, &header);
	Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;
	lzma_stream stream = LZMA_STREAM_INIT;
	uint8_t *image = data && data->d_buf ? malloc(EMBEDDED_MAX) : NULL;
	Elf *embedded = NULL;

	if (!image)
		return NULL;
	if (lzma_stream_decoder(&stream, EMBEDDED_MAX, 0) == LZMA_OK) {
		stream.next_in = data->d_buf;
		stream.avail_in = data->d_size;
		stream.next_out = image;
		stream.avail_out = EMBEDDED_MAX;
		if (lzma_code(&stream, LZMA_FINISH) == LZMA_STREAM_END)
			embedded = elf_file__open_image(image, stream.total_out);
		lzma_end(&stream);
	}
	free(image);
	return embedded;
}
