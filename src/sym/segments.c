/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/segments.h"

#include <errno.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "sym/elf_file.h"

static bool overlaps(uint64_t at, uint64_t length, uint64_t offset, uint64_t size)
{
	return length && at < offset + size && offset < at + length && at + length > at;
}

static const char *segment_name(unsigned type)
{
	switch (type) {
	case PT_LOAD:
		return "LOAD";
	case PT_DYNAMIC:
		return "DYNAMIC";
	case PT_INTERP:
		return "INTERP";
	case PT_NOTE:
		return "NOTE";
	case PT_PHDR:
		return "PHDR";
	case PT_TLS:
		return "TLS";
	case PT_GNU_EH_FRAME:
		return "EH_FRAME";
	case PT_GNU_RELRO:
		return "RELRO";
	default:
		return NULL;
	}
}

static void append(char *buf, size_t size, const char *separator, const char *text)
{
	size_t used = strlen(buf);

	snprintf(buf + used, size - used, "%s%s", used ? separator : "", text);
}

static void add_segments(Elf *elf, uint64_t offset, uint64_t size, char *buf, size_t buf_size)
{
	size_t count = 0;
	char text[64];

	if (elf_getphdrnum(elf, &count))
		return;
	for (size_t i = 0; i < count && i < 256; i++) {
		GElf_Phdr header;
		const char *name;

		if (!gelf_getphdr(elf, (int)i, &header) ||
		    !overlaps(header.p_offset, header.p_filesz, offset, size))
			continue;
		name = segment_name(header.p_type);
		if (!name)
			continue;
		if (header.p_type == PT_LOAD)
			snprintf(text, sizeof(text), "%s %c%c%c", name, header.p_flags & PF_R ? 'r' : '-',
				 header.p_flags & PF_W ? 'w' : '-', header.p_flags & PF_X ? 'x' : '-');
		else
			snprintf(text, sizeof(text), "%s", name);
		append(buf, buf_size, ", ", text);
	}
}

static void add_sections(Elf *elf, uint64_t offset, uint64_t size, char *buf, size_t buf_size)
{
	const char *separator = ": ";
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return;
	while ((section = elf_nextscn(elf, section))) {
		const char *name;

		if (!gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS ||
		    !(header.sh_flags & SHF_ALLOC) ||
		    !overlaps(header.sh_offset, header.sh_size, offset, size))
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || strlen(buf) + strlen(name) + 3 >= buf_size)
			continue;
		append(buf, buf_size, separator, name);
		separator = " ";
	}
}

int segments__describe(int fd, uint64_t offset, uint64_t size, char *buf, size_t buf_size)
{
	Elf *elf = elf_file__open(fd);

	buf[0] = '\0';
	if (!elf)
		return -ENOEXEC;
	add_segments(elf, offset, size, buf, buf_size);
	add_sections(elf, offset, size, buf, buf_size);
	elf_end(elf);
	return 0;
}
