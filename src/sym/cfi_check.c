/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/cfi_check.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "sym/elf_file.h"

#define REGISTER_MAX	255 /* DWARF numbers end below 130 on the architectures there are */
#define REMEMBERED_MAX	32  /* states on the stack of DW_CFA_remember_state */
#define TABLE_ENCODING	(DW_EH_PE_datarel | DW_EH_PE_sdata4) /* what every linker writes */
#define ENCODING_SIZE	0x07
#define ENCODING_FORMAT 0x0f

/* Bytes that are still to be read; beyond their end everything is 0, and `bad` is set. */
struct bytes {
	const uint8_t *at, *end;
	bool bad, swap;
	unsigned address_size;
};

struct cie {
	Dwarf_Off offset;
	uint8_t encoding; /* of addresses in its FDEs */
	bool is_sized;	  /* its FDEs tell the size of what precedes their instructions */
};

/* The entries of a section, which are in the order of their offsets. */
struct check {
	Elf_Data *data;
	const unsigned char *ident;
	bool is_eh;
	struct cie *cies;
	Dwarf_Off *fdes;
	size_t n_cies, n_fdes;
};

static void skip(struct bytes *b, uint64_t n)
{
	if (n > (uint64_t)(b->end - b->at)) {
		b->bad = true;
		b->at = b->end;
	} else {
		b->at += n;
	}
}

static uint8_t byte(struct bytes *b)
{
	const uint8_t *at = b->at;

	skip(b, 1);
	return b->bad ? 0 : *at;
}

static uint32_t word(struct bytes *b)
{
	const uint8_t *at = b->at;
	uint32_t value = 0;

	skip(b, 4);
	if (!b->bad)
		memcpy(&value, at, 4);
	return b->swap ? __builtin_bswap32(value) : value;
}

/* Ten bytes are the most that 64 bits take. */
static uint64_t leb128(struct bytes *b)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 10; i++) {
		uint8_t next = byte(b);

		value |= (uint64_t)(next & 0x7f) << (7 * i);
		if (!(next & 0x80))
			return value;
	}
	b->bad = true;
	return value;
}

static void encoded(struct bytes *b, uint8_t encoding)
{
	if (encoding == DW_EH_PE_omit)
		return;
	if (encoding == DW_EH_PE_aligned) {
		b->bad = true;
		return;
	}
	switch (encoding & ENCODING_SIZE) {
	case DW_EH_PE_absptr:
		skip(b, b->address_size);
		break;
	case DW_EH_PE_uleb128:
		leb128(b);
		break;
	case DW_EH_PE_udata2:
		skip(b, 2);
		break;
	case DW_EH_PE_udata4:
		skip(b, 4);
		break;
	case DW_EH_PE_udata8:
		skip(b, 8);
		break;
	default:
		b->bad = true;
	}
}

static struct bytes bytes_of(const struct check *check, const uint8_t *start, const uint8_t *end)
{
	bool is_big = check->ident[EI_DATA] == ELFDATA2MSB;

	return (struct bytes){.at = start,
			      .end = end,
			      .bad = start > end,
			      .swap = is_big != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__),
			      .address_size = check->ident[EI_CLASS] == ELFCLASS32 ? 4 : 8};
}

static void register_number(struct bytes *b)
{
	if (leb128(b) > REGISTER_MAX)
		b->bad = true;
}

/* Operands of the instructions that are told by a whole byte. */
static void skip_operands(struct bytes *b, uint8_t opcode, uint8_t encoding, unsigned *remembered)
{
	switch (opcode) {
	case DW_CFA_nop:
	case DW_CFA_GNU_window_save:
		break;
	case DW_CFA_set_loc:
		encoded(b, encoding);
		break;
	case DW_CFA_advance_loc1:
		skip(b, 1);
		break;
	case DW_CFA_advance_loc2:
		skip(b, 2);
		break;
	case DW_CFA_advance_loc4:
		skip(b, 4);
		break;
	case DW_CFA_restore_extended:
	case DW_CFA_undefined:
	case DW_CFA_same_value:
	case DW_CFA_def_cfa_register:
		register_number(b);
		break;
	case DW_CFA_register:
		register_number(b);
		register_number(b);
		break;
	case DW_CFA_offset_extended:
	case DW_CFA_def_cfa:
	case DW_CFA_offset_extended_sf:
	case DW_CFA_def_cfa_sf:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
	case DW_CFA_GNU_negative_offset_extended:
		register_number(b);
		leb128(b);
		break;
	case DW_CFA_def_cfa_offset:
	case DW_CFA_def_cfa_offset_sf:
	case DW_CFA_GNU_args_size:
		leb128(b);
		break;
	case DW_CFA_def_cfa_expression:
		skip(b, leb128(b));
		break;
	case DW_CFA_expression:
	case DW_CFA_val_expression:
		register_number(b);
		skip(b, leb128(b));
		break;
	case DW_CFA_remember_state:
		if (++*remembered > REMEMBERED_MAX)
			b->bad = true;
		break;
	case DW_CFA_restore_state:
		if (!(*remembered)--)
			b->bad = true;
		break;
	default:
		b->bad = true; /* libdw gives up here, too */
	}
}

static bool check_program(struct bytes b, uint8_t encoding)
{
	unsigned remembered = 0;

	while (b.at < b.end && !b.bad) {
		uint8_t opcode = byte(&b);

		switch (opcode & 0xc0) {
		case DW_CFA_advance_loc:
		case DW_CFA_restore:
			break;
		case DW_CFA_offset:
			leb128(&b);
			break;
		default:
			skip_operands(&b, opcode, encoding, &remembered);
		}
	}
	return !b.bad;
}

/* How addresses are encoded, by the augmentation; only what compilers have written since 2001. */
static bool read_augmentation(struct check *check, const Dwarf_CIE *entry, struct cie *cie)
{
	struct bytes b = bytes_of(check, entry->augmentation_data,
				  entry->augmentation_data + entry->augmentation_data_size);

	cie->encoding = DW_EH_PE_absptr;
	cie->is_sized = entry->augmentation[0] == 'z';
	if (!cie->is_sized)
		return !entry->augmentation[0];
	for (const char *letter = entry->augmentation + 1; *letter; letter++) {
		switch (*letter) {
		case 'R':
			cie->encoding = byte(&b);
			break;
		case 'L':
			byte(&b);
			break;
		case 'P':
			encoded(&b, byte(&b));
			break;
		case 'S':
		case 'B':
			break;
		default:
			return false;
		}
	}
	return !b.bad;
}

static bool add_cie(struct check *check, Dwarf_Off offset, const Dwarf_CIE *entry)
{
	struct cie *grown = check->cies, *cie;

	if (!(check->n_cies & (check->n_cies - 1)))
		grown = reallocarray(grown, check->n_cies ? check->n_cies * 2 : 1, sizeof(*grown));
	if (!grown)
		return false;
	check->cies = grown;
	cie = &grown[check->n_cies++];
	cie->offset = offset;
	return read_augmentation(check, entry, cie) &&
	       check_program(bytes_of(check, entry->initial_instructions, entry->initial_instructions_end),
			     cie->encoding);
}

static int compare_cie(const void *key, const void *item)
{
	Dwarf_Off offset = *(const Dwarf_Off *)key, its = ((const struct cie *)item)->offset;

	return (offset > its) - (offset < its);
}

static int compare_offset(const void *key, const void *item)
{
	Dwarf_Off offset = *(const Dwarf_Off *)key, its = *(const Dwarf_Off *)item;

	return (offset > its) - (offset < its);
}

/* Its CIE has to be a whole entry, too, and before it, as it is in all files. */
static bool add_fde(struct check *check, Dwarf_Off offset, const Dwarf_FDE *entry)
{
	struct bytes b = bytes_of(check, entry->start, entry->end);
	Dwarf_Off *grown = check->fdes;
	const struct cie *cie;

	if (!(check->n_fdes & (check->n_fdes - 1)))
		grown = reallocarray(grown, check->n_fdes ? check->n_fdes * 2 : 1, sizeof(*grown));
	if (!grown)
		return false;
	check->fdes = grown;
	grown[check->n_fdes++] = offset;
	if (!check->n_cies)
		return false;
	cie = bsearch(&entry->CIE_pointer, check->cies, check->n_cies, sizeof(*cie), compare_cie);
	if (!cie)
		return false;
	encoded(&b, cie->encoding);
	encoded(&b, cie->encoding & ENCODING_FORMAT);
	if (cie->is_sized)
		skip(&b, leb128(&b));
	return !b.bad && check_program(b, cie->encoding);
}

/* In the order that libdw reads them in, and as far. */
static bool check_entries(struct check *check)
{
	Dwarf_Off offset = 0, next;
	Dwarf_CFI_Entry entry;
	bool good = true;

	while (good) {
		int result = dwarf_next_cfi(check->ident, check->data, check->is_eh, offset, &next, &entry);

		if (result > 0 || next <= offset)
			break;
		if (!result)
			good = dwarf_cfi_cie_p(&entry) ? add_cie(check, offset, &entry.cie)
						       : add_fde(check, offset, &entry.fde);
		offset = next;
	}
	return good && check->n_fdes;
}

/* Every entry of the table leads to an FDE that was checked. vaddr: where the table is, and the FDEs are. */
static bool check_table(struct check *check, Elf_Data *header, uint64_t header_vaddr, uint64_t vaddr)
{
	struct bytes b = bytes_of(check, header->d_buf, (const uint8_t *)header->d_buf + header->d_size);
	uint8_t version = byte(&b), pointer = byte(&b), count = byte(&b), table = byte(&b);
	uint32_t n;

	encoded(&b, pointer);
	if (version != 1 || b.bad)
		return false;
	if (count == DW_EH_PE_omit || table == DW_EH_PE_omit)
		return true;
	n = word(&b);
	if (count != DW_EH_PE_udata4 || table != TABLE_ENCODING || (b.end - b.at) / 8 < n)
		return false;
	while (n--) {
		Dwarf_Off offset;

		word(&b);
		offset = header_vaddr + (int32_t)word(&b) - vaddr;
		if (!bsearch(&offset, check->fdes, check->n_fdes, sizeof(offset), compare_offset))
			return false;
	}
	return true;
}

/* Where the unwind information is, as libdw finds it. */
struct place {
	Elf_Data *data, *header;
	uint64_t vaddr, header_vaddr;
};

/* By the sections: the last .eh_frame_hdr before .eh_frame counts. */
static bool find_sections(Elf *elf, const char *name, struct place *place)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t strings;

	if (elf_getshdrstrndx(elf, &strings) || !strings)
		return false;
	while ((section = elf_nextscn(elf, section))) {
		const char *its;

		if (!gelf_getshdr(section, &header))
			continue;
		its = elf_strptr(elf, strings, header.sh_name);
		if (its && !strcmp(its, ".eh_frame_hdr")) {
			place->header = header.sh_type != SHT_NOBITS ? elf_rawdata(section, NULL) : NULL;
			place->header_vaddr = header.sh_addr;
		} else if (its && !strcmp(its, name)) {
			place->data = header.sh_type != SHT_NOBITS ? elf_rawdata(section, NULL) : NULL;
			place->vaddr = header.sh_addr;
			return true;
		}
	}
	return false;
}

static bool check_place(Elf *elf, const struct place *place, bool is_eh)
{
	struct check check = {
		.data = place->data, .ident = (const void *)elf_getident(elf, NULL), .is_eh = is_eh};
	bool good = place->data && place->data->d_buf && check.ident && check_entries(&check);

	if (good && is_eh && place->header && place->header->d_buf)
		good = check_table(&check, place->header, place->header_vaddr, place->vaddr);
	free(check.cies);
	free(check.fdes);
	return good;
}

/* A file without sections is not unwound: where its entries end can only be guessed. */
bool cfi_check__eh_frame(Elf *elf)
{
	struct place place = {.data = NULL};

	return find_sections(elf, ".eh_frame", &place) && check_place(elf, &place, true);
}

bool cfi_check__debug_frame(Elf *elf)
{
	struct place place = {.data = NULL};
	GElf_Shdr header;
	Elf_Scn *section = elf_file__section(elf, ".debug_frame", 0, &header);

	if (!section)
		section = elf_file__section(elf, ".zdebug_frame", 0, &header);
	place.data = section && header.sh_type != SHT_NOBITS ? elf_getdata(section, NULL) : NULL;
	return check_place(elf, &place, false);
}
