/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/code_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#include "proc/file.h"
#include "proc/maps.h"
#include "sym/arch.h"
#include "sym/elf_file.h"
#include "sym/file_search.h"

#define OPEN_MAX_FILES 128
#define HELD_MAX       128

/*
 * What open files may cost: one that others can change is copied (sym/elf_file.h), of the rest a small part
 * is read.
 */
#define OPEN_MAX_BYTES (128ull << 20)
#define SHARE_READ     16

#define RETRY_NS  1000000000ull
#define TRIES_MAX 8 /* in that time, each for another process */
#define HOLDS_MAX 8 /* attempts to take hold of one file */

/* As the kernel tells it. */
struct identity {
	const char *path; /* of `strings`, without " (deleted)" */
	uint64_t device, inode;
	uint8_t build_id[SYM_BUILD_ID_MAX];
	uint32_t build_id_size;
};

enum state {
	NOT_TRIED,
	OPENED, /* and maybe closed again, to make room for others */
	FAILED, /* to be tried again some time */
	ANONYMOUS,
};

struct code_file {
	struct identity identity;
	uint32_t number;
	enum state state;
	bool is_native, is_replaced;
	unsigned holds;
	struct code_file *same_as; /* NULL: itself */
	struct module *module;	   /* NULL: not open */
	const char *build_id;	   /* of the module when it was first open */
	uint64_t cost;
	int held; /* -1: not held */
	bool is_held_mapped;
	uint64_t tried_ns;
	unsigned tries;		 /* since tried_ns */
	uint32_t tried_pid, pid; /* pid: who mapped it last, at start */
	uint64_t start, end;
	struct code_file *open_prev, *open_next; /* the one used longest ago first */
	struct code_file *held_prev, *held_next;
	UT_hash_handle hh;
};

/* A build id, and the path that it was seen at: whoever forges another's only fools himself. */
struct by_build_id {
	struct {
		const char *path, *build_id;
	} key;
	struct code_file *file;
	UT_hash_handle hh;
};

struct code_files {
	struct intern *strings;
	struct code_file *files; /* hash by identity */
	struct by_build_id *by_build_id;
	struct code_file **numbered;
	uint32_t n, capacity;
	struct code_file *open, *held;
	size_t n_open, n_held;
	uint64_t open_cost, replaced;
};

struct code_files *code_files__new(struct intern *strings)
{
	struct code_files *files = calloc(1, sizeof(*files));

	if (files)
		files->strings = strings;
	return files;
}

static void drop_held(struct code_files *files, struct code_file *file)
{
	if (file->held < 0)
		return;
	close(file->held);
	file->held = -1;
	DL_DELETE2(files->held, file, held_prev, held_next);
	files->n_held--;
}

static void forget_open(struct code_files *files, struct code_file *file)
{
	DL_DELETE2(files->open, file, open_prev, open_next);
	files->n_open--;
	files->open_cost -= file->cost;
	file->module = NULL;
}

static void close_file(struct code_files *files, struct code_file *file)
{
	module__free(file->module);
	forget_open(files, file);
}

void code_files__free(struct code_files *files)
{
	struct by_build_id *entry, *next;

	if (!files)
		return;
	while (files->open)
		close_file(files, files->open);
	while (files->held)
		drop_held(files, files->held);
	HASH_ITER(hh, files->by_build_id, entry, next) {
		HASH_DEL(files->by_build_id, entry);
		free(entry);
	}
	HASH_CLEAR(hh, files->files);
	for (uint32_t i = 0; i < files->n; i++)
		free(files->numbered[i]);
	free(files->numbered);
	free(files);
}

/* --- which file it is -------------------------------------------------------------------------------------
 */

/* The name of the same file must not change when it is deleted. */
static const char *bare_path(struct code_files *files, const char *name)
{
	static const char suffix[] = " (deleted)";
	size_t length = strlen(name), cut = sizeof(suffix) - 1;
	char *copy;
	const char *kept;

	if (length <= cut || strcmp(name + length - cut, suffix))
		return intern__string(files->strings, name);
	copy = strndup(name, length - cut);
	kept = intern__string(files->strings, copy ? copy : "");
	free(copy);
	return kept;
}

static struct identity identify(struct code_files *files, const struct sym_mapping *mapping)
{
	struct identity identity;

	memset(&identity, 0, sizeof(identity)); /* its padding is hashed, too */
	identity.path = bare_path(files, mapping->name);
	if (identity.path[0] != '/')
		return identity;
	if (mapping->build_id_size && mapping->build_id_size <= SYM_BUILD_ID_MAX) {
		memcpy(identity.build_id, mapping->build_id, mapping->build_id_size);
		identity.build_id_size = mapping->build_id_size;
	} else {
		identity.device = mapping->device;
		identity.inode = mapping->inode;
	}
	return identity;
}

static struct code_file *add_file(struct code_files *files, const struct identity *identity)
{
	struct code_file *file;
	const char *path = identity->path;

	if (files->n == files->capacity) {
		uint32_t capacity = files->capacity ? files->capacity * 2 : 64;
		struct code_file **grown = reallocarray(files->numbered, capacity, sizeof(*grown));

		if (!grown)
			return NULL;
		files->numbered = grown;
		files->capacity = capacity;
	}
	file = calloc(1, sizeof(*file));
	if (!file)
		return NULL;
	memcpy(&file->identity, identity, sizeof(*identity)); /* with its padding */
	file->held = -1;
	/* "//anon" is what perf events call memory without a file. */
	if ((path[0] != '/' && strcmp(path, "[vdso]")) || !strcmp(path, "//anon"))
		file->state = ANONYMOUS;
	files->numbered[files->n++] = file;
	file->number = files->n;
	HASH_ADD(hh, files->files, identity, sizeof(file->identity), file);
	return file;
}

struct code_file *code_files__get(struct code_files *files, const struct sym_mapping *mapping)
{
	struct identity identity = identify(files, mapping);
	struct code_file *file;

	HASH_FIND(hh, files->files, &identity, sizeof(identity), file);
	return file ? file : add_file(files, &identity);
}

struct code_file *code_file__itself(struct code_file *file)
{
	while (file->same_as)
		file = file->same_as;
	return file;
}

struct code_file *code_files__by_path(struct code_files *files, const char *path)
{
	struct sym_mapping unknown = {.name = path};
	struct code_file *file = code_files__get(files, &unknown);

	if (!file || file->same_as || file->state != NOT_TRIED)
		return file;
	for (uint32_t i = files->n; i-- > 0;) {
		struct code_file *other = files->numbered[i];

		if (other != file && other->identity.path == file->identity.path) {
			file->same_as = code_file__itself(other);
			break;
		}
	}
	return file;
}

/* --- opening ----------------------------------------------------------------------------------------------
 */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void add_open(struct code_files *files, struct code_file *file, struct module *module, uint64_t cost)
{
	file->module = module;
	file->cost = cost;
	file->state = OPENED;
	DL_APPEND2(files->open, file, open_prev, open_next);
	files->n_open++;
	files->open_cost += cost;
	while (files->open != file && (files->n_open > OPEN_MAX_FILES || files->open_cost > OPEN_MAX_BYTES))
		close_file(files, files->open);
}

static bool has_build_id(const struct code_file *file, const struct module *module)
{
	const char *text = module__build_id(module);
	char wanted[2 * SYM_BUILD_ID_MAX + 1] = "";

	if (file->build_id && file->build_id != text)
		return false; /* written to since it was first open */
	if (!file->identity.build_id_size)
		return true;
	for (uint32_t i = 0; i < file->identity.build_id_size; i++)
		snprintf(wanted + 2 * i, 3, "%02x", file->identity.build_id[i]);
	return text && !strcmp(text, wanted);
}

/* What its header says. */
enum elf_kind {
	NO_ELF,
	ELF_FOREIGN, /* of another architecture or word size */
	ELF_NATIVE,
};

static enum elf_kind look_at(int fd)
{
	Elf64_Ehdr header; /* e_machine is at the same offset in the smaller one */

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG))
		return NO_ELF;
	return header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == ARCH_ELF_MACHINE ? ELF_NATIVE
											      : ELF_FOREIGN;
}

static uint64_t cost_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return 0;
	return elf_file__is_trusted(&st) ? st.st_size / SHARE_READ : st.st_size;
}

/* Use the file behind fd, which is closed, if it is what was mapped. */
static bool use(struct code_files *files, struct code_file *file, int fd, bool is_mapped, uint32_t pid)
{
	const struct identity *identity = &file->identity;
	enum elf_kind kind = look_at(fd);
	uint64_t cost = cost_of(fd);
	struct module *module = NULL;
	char root[32];

	if (!is_mapped && !identity->build_id_size && identity->inode &&
	    !file_search__is_inode(fd, identity->device, identity->inode)) {
		close(fd);
		file->is_replaced = true;
		return false;
	}
	if (kind == NO_ELF && !identity->build_id_size) {
		close(fd);
		file->state = ANONYMOUS;
		return true;
	}
	snprintf(root, sizeof(root), "/proc/%u/root", pid);
	module = module__open(fd, identity->path, pid ? root : NULL, files->strings);
	if (!module || !has_build_id(file, module)) {
		file->is_replaced |= module || kind == NO_ELF;
		module__free(module);
		return false;
	}
	file->is_native = kind == ELF_NATIVE;
	file->holds = 0;
	add_open(files, file, module, cost);
	return true;
}

/* The image that every process of this architecture has. */
static void open_vdso(struct code_files *files, struct code_file *file)
{
	const void *image = (const void *)getauxval(AT_SYSINFO_EHDR);
	char *maps = image ? file__read("/proc/self/maps", NULL) : NULL;
	struct maps_entry *entry = malloc(sizeof(*entry));
	const char *rest = maps;
	struct module *module = NULL;

	while (maps && entry && !module && maps__next(&rest, entry))
		if (entry->start == (uintptr_t)image)
			module = module__open_image(image, entry->end - entry->start, "[vdso]",
						    files->strings);
	if (module) {
		file->is_native = true;
		add_open(files, file, module, 0);
	}
	free(entry);
	free(maps);
}

/*
 * It is open now, and its build id is known: is there another that has the same? Then that one counts, and
 * takes over the module if it has none.
 */
static void unite(struct code_files *files, struct code_file *file)
{
	struct by_build_id *entry, key;
	struct module *module = file->module;
	struct code_file *itself;

	file->build_id = module__build_id(module);
	if (!file->build_id)
		return;
	memset(&key, 0, sizeof(key));
	key.key.path = file->identity.path;
	key.key.build_id = file->build_id; /* both are of `strings`: equal if the pointers are */
	HASH_FIND(hh, files->by_build_id, &key.key, sizeof(key.key), entry);
	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return;
		entry->key = key.key;
		entry->file = file;
		HASH_ADD(hh, files->by_build_id, key, sizeof(entry->key), entry);
	}
	if (code_file__itself(entry->file) == file)
		return;
	if (!file->same_as)
		file->same_as = entry->file;
	forget_open(files, file);
	itself = code_file__itself(file);
	itself->is_native = file->is_native;
	if (itself->module)
		module__free(module);
	else
		add_open(files, itself, module, file->cost);
}

static struct file_search search_for(const struct code_file *file, const struct address_spaces *spaces)
{
	return (struct file_search){
		.spaces = spaces,
		.path = file->identity.path,
		.device = file->identity.device,
		.inode = file->identity.inode,
		.start = file->start,
		.end = file->end,
		.pid = file->pid,
	};
}

static void open_held(struct code_files *files, struct code_file *file)
{
	int fd = file->held < 0 ? -1 : fcntl(file->held, F_DUPFD_CLOEXEC, 0);

	drop_held(files, file);
	if (fd >= 0)
		use(files, file, fd, file->is_held_mapped, file->pid);
}

static void open_file(struct code_files *files, struct code_file *file, const struct address_spaces *spaces)
{
	struct file_search search = search_for(file, spaces);
	bool was_replaced = file->is_replaced;
	int fd;

	file->state = FAILED;
	file->tried_pid = file->pid;
	if (!strcmp(file->identity.path, "[vdso]"))
		open_vdso(files, file);
	else
		open_held(files, file);
	while (file->state == FAILED && (fd = file_search__next(&search)) >= 0)
		use(files, file, fd, search.is_mapped, search.pid);
	if (file->state != FAILED)
		file->is_replaced = was_replaced; /* another place had it */
	else if (file->is_replaced && !was_replaced)
		files->replaced++;
	if (file->module)
		unite(files, file);
}

/* Short-lived processes of a file that cannot be had must not keep us busy. */
static bool may_try(struct code_file *file)
{
	uint64_t now = now_ns();

	if (now - file->tried_ns >= RETRY_NS) {
		file->tried_ns = now;
		file->tries = 0;
	} else if (file->state == FAILED && (file->pid == file->tried_pid || file->tries >= TRIES_MAX)) {
		return false;
	}
	file->tries++;
	return true;
}

void code_files__hold(struct code_files *files, struct code_file *file, const struct address_spaces *spaces,
		      uint32_t pid, uint64_t start, uint64_t end)
{
	struct code_file *itself = code_file__itself(file);
	struct file_search search;

	file->pid = pid;
	file->start = start;
	file->end = end;
	if (itself->state == ANONYMOUS || itself->module || itself->held >= 0 || file->held >= 0 ||
	    file->holds >= HOLDS_MAX || file->identity.path[0] != '/')
		return;
	file->holds++;
	search = search_for(file, spaces);
	file->held = file_search__next(&search);
	if (file->held < 0)
		return;
	file->is_held_mapped = search.is_mapped;
	DL_APPEND2(files->held, file, held_prev, held_next);
	if (++files->n_held > HELD_MAX)
		drop_held(files, files->held);
}

struct module *code_files__module(struct code_files *files, struct code_file *file,
				  const struct address_spaces *spaces, uint32_t pid, uint64_t start,
				  uint64_t end)
{
	struct code_file *itself = code_file__itself(file);

	if (itself->state == ANONYMOUS)
		return NULL;
	if (itself->module) {
		DL_DELETE2(files->open, itself, open_prev, open_next);
		DL_APPEND2(files->open, itself, open_prev, open_next);
		return itself->module;
	}
	if (file->state == ANONYMOUS)
		return NULL;
	if (pid) {
		file->pid = pid;
		file->start = start;
		file->end = end;
	}
	if (!may_try(file))
		return NULL;
	open_file(files, file, spaces);
	return code_file__itself(file)->module;
}

bool code_file__is_settled(const struct code_file *file)
{
	return file->same_as || file->state == OPENED || file->state == ANONYMOUS;
}

bool code_file__is_anonymous(const struct code_file *file)
{
	return file->state == ANONYMOUS;
}

bool code_file__is_native(const struct code_file *file)
{
	return file->is_native;
}

uint32_t code_file__number(const struct code_file *file)
{
	return file->number;
}

struct code_file *code_files__by_number(const struct code_files *files, uint32_t number)
{
	return number && number <= files->n ? files->numbered[number - 1] : NULL;
}

const char *code_file__path(const struct code_file *file)
{
	return file->identity.path;
}

uint64_t code_files__replaced(const struct code_files *files)
{
	return files->replaced;
}
