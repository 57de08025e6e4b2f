/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/kmem_source.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kmem.skel.h"
#include "trace/heap_maps.h"
#include "util/log.h"

#define BLOCKS_DEFAULT 262144u /* about 100 bytes each, taken beforehand */

struct kmem_source {
	struct kmem_bpf *skel;
	bool has[KMEM_VIAS];
	uint32_t room;
};

/* --- configuration ----------------------------------------------------------------------------------------
 */

/* Each with its way back, or not at all. */
static void choose_programs(struct kmem_source *source, const struct features *features)
{
	struct kmem_bpf *skel = source->skel;
	const struct {
		enum kmem_via via;
		const char *allocates, *frees;
		struct bpf_program *allocated, *allocated_on_node, *freed;
	} kinds[] = {
		{KMEM_KMALLOC, "kmalloc", "kfree", skel->progs.kmalloc_called,
		 skel->progs.kmalloc_node_called, skel->progs.kfree_called},
		{KMEM_SLAB, "kmem_cache_alloc", "kmem_cache_free", skel->progs.cache_alloc_called,
		 skel->progs.cache_alloc_node_called, skel->progs.cache_free_called},
		{KMEM_VMALLOC, "alloc_vmap_area", "free_vmap_area_noflush", skel->progs.vmap_area_allocated,
		 NULL, skel->progs.vmap_area_freed},
		{KMEM_PAGE, "mm_page_alloc", "mm_page_free", skel->progs.page_allocated, NULL,
		 skel->progs.page_freed},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		bool has = features__has_tracepoint(features, kinds[i].allocates) &&
			   features__has_tracepoint(features, kinds[i].frees);
		bool has_node =
			has && (kinds[i].via == KMEM_KMALLOC
					? features__has_tracepoint(features, "kmalloc_node")
					: features__has_tracepoint(features, "kmem_cache_alloc_node"));

		source->has[kinds[i].via] = has;
		bpf_program__set_autoload(kinds[i].allocated, has);
		bpf_program__set_autoload(kinds[i].freed, has);
		if (kinds[i].allocated_on_node)
			bpf_program__set_autoload(kinds[i].allocated_on_node, has_node);
	}
}

/*
 * The third argument of the tracepoints is a size, or the cache, and then the sizes follow (5.19, commit
 * b347aa7b5747) or not (6.1, commit 2c1d697fb8ba).
 */
static void find_arguments(const struct features *features, struct kmem_config *config)
{
	bool joined = !features__has_tracepoint(features, "kmem_cache_alloc_node");

	config->kmalloc_size = features__tracepoint_arg_is_pointer(features, "kmalloc", 2) ? 3 : 2;
	config->cache = features__tracepoint_arg_is_pointer(features, "kmem_cache_alloc", 2);
	if (!config->cache)
		config->cache_size = 2;
	else if (!joined)
		config->cache_size = 3;
}

static int load(struct kmem_source *source, const struct kmem_source_options *options,
		const struct target *target, const struct features *features)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = features__btf_path(features));
	struct target_config target_config = {};
	struct kmem_config *config;
	int err = target__configure(target, &target_config);

	if (err)
		return err;
	source->skel = kmem_bpf__open_opts(&opts);
	if (!source->skel) {
		err = -errno;
		log__error("cannot open the BPF programs: %s", strerror(-err));
		return err;
	}
	choose_programs(source, features);
	config = (struct kmem_config *)&source->skel->rodata->config;
	config->target = target_config;
	config->has_target = options->has_target;
	config->stacks = options->stacks;
	config->direct_reads = features->rdonly_cast;
	find_arguments(features, config);
	source->room = options->blocks ? options->blocks : BLOCKS_DEFAULT;
	err = bpf_map__set_max_entries(source->skel->maps.blocks, source->room);
	if (!err)
		err = features__load(features, source->skel->skeleton);
	if (err) {
		log__error(
			"the kernel refuses the BPF programs: %s (-v shows more; memtrace doctor tells what it offers)",
			strerror(-err));
		return err;
	}
	err = target__fill(target, bpf_map__fd(source->skel->maps.targets));
	if (err)
		return err;
	err = kmem_bpf__attach(source->skel);
	if (err)
		log__error("cannot attach the BPF programs: %s", strerror(-err));
	return err;
}

struct kmem_source *kmem_source__open(const struct kmem_source_options *options, const struct target *target,
				      const struct features *features)
{
	struct kmem_source *source = calloc(1, sizeof(*source));

	if (!source) {
		log__error("no memory");
		return NULL;
	}
	if (load(source, options, target, features)) {
		kmem_source__close(source);
		return NULL;
	}
	overhead__say_maps(source->skel->obj);
	return source;
}

void kmem_source__close(struct kmem_source *source)
{
	if (!source)
		return;
	kmem_bpf__destroy(source->skel);
	free(source);
}

void kmem_source__begin(struct kmem_source *source)
{
	source->skel->bss->control_block.enabled = 1;
}

void kmem_source__stop(struct kmem_source *source)
{
	source->skel->bss->control_block.enabled = 0;
}

bool kmem_source__has(const struct kmem_source *source, enum kmem_via via)
{
	return source->has[via];
}

/* --- what the kernel side keeps ---------------------------------------------------------------------------
 */

int kmem_source__blocks(struct kmem_source *source,
			bool (*take)(void *context, const struct heap_block_key *, const struct heap_block *),
			void *context)
{
	return heap_maps__blocks(source->skel->maps.blocks, take, context);
}

int kmem_source__sites(struct kmem_source *source,
		       bool (*take)(void *context, const struct heap_site_key *, const struct heap_site *),
		       void *context)
{
	return heap_maps__sites(source->skel->maps.sites, take, context);
}

void kmem_source__counts(const struct kmem_source *source, uint64_t counts[HEAP_COUNTS])
{
	heap_maps__counts(source->skel->maps.counts, counts);
}

uint32_t kmem_source__room(const struct kmem_source *source)
{
	return source->room;
}

size_t kmem_source__stack(const struct kmem_source *source, uint64_t number, uint64_t *ips)
{
	__u32 id = number - 1;
	size_t n = 0;

	memset(ips, 0, KMEM_FRAMES * sizeof(*ips));
	if (!number)
		return 0;
	if (number > KMEM_STACKS) {
		ips[0] = number;
		return 1;
	}
	if (bpf_map_lookup_elem(bpf_map__fd(source->skel->maps.stacks), &id, ips))
		return 0;
	while (n < KMEM_FRAMES && ips[n])
		n++;
	return n;
}

bool kmem_source__cache(const struct kmem_source *source, const struct heap_site_key *key,
			char name[KMEM_CACHE_NAME])
{
	struct kmem_cache_name found;

	if (bpf_map_lookup_elem(bpf_map__fd(source->skel->maps.caches), key, &found))
		return false;
	found.name[KMEM_CACHE_NAME - 1] = '\0';
	memcpy(name, found.name, KMEM_CACHE_NAME);
	return name[0];
}

int kmem_source__targets_fd(const struct kmem_source *source)
{
	return bpf_map__fd(source->skel->maps.targets);
}

int kmem_source__loss(const struct kmem_source *source, struct loss *loss)
{
	return loss__read(source->skel->obj, bpf_map__fd(source->skel->maps.losses), NULL, loss);
}

void kmem_source__overhead(const struct kmem_source *source, double measured_share, struct overhead *overhead)
{
	overhead__read(source->skel->obj, measured_share, overhead);
}
