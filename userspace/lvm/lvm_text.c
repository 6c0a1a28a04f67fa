// SPDX-License-Identifier: GPL-2.0-or-later
/* The text of a volume group: plain volumes become a thin pool. */
#include "lvm/lvm_text.h"

#include <stdio.h>
#include <sys/random.h>

#include "base/words.h"

#define SPARE_NAME	"lvol0_pmspare"
#define NR_PARTS	4

/* A volume that is there, and what it is to be called. */
struct part {
	const char *from;		/* NULL: not wanted */
	char to[TE_LVM_NAME_BYTES + 8];	/* "": it is to go */
	bool found;
};

struct editing {
	const struct te_lvm_text_pool *pool;
	struct part parts[NR_PARTS];
	struct part *inside;		/* of this part's braces */
	unsigned int depth;		/* of braces */
	bool in_string;			/* a string may hold an end of line */
	bool in_volumes;		/* inside "logical_volumes {" */
	bool had_volumes;
	FILE *out;
	char *why;
	size_t why_bytes;
};

/* Why the text cannot be edited: the answer of what found it out. */
static bool cannot(struct editing *editing, const char *what, const char *name)
{
	snprintf(editing->why, editing->why_bytes, "%s%s%s", what, name ? " " : "",
		 name ? name : "");
	return false;
}

/* Likewise, of what answers by a number. */
static int cannot_take(struct editing *editing, const char *what, const char *name)
{
	cannot(editing, what, name);
	return -1;
}

/* LVM's strings know \" and \\, and ours hold neither, nor control characters. */
bool te_lvm_is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == '"' || *text == '\\' || *text == 0x7f)
			return false;
	return true;
}

bool te_lvm_is_tag(const char *tag)
{
	if (!*tag)
		return false;
	for (; *tag; tag++)
		if (!(*tag >= '0' && *tag <= '9') && !(*tag >= 'a' && *tag <= 'z') &&
		    !(*tag >= 'A' && *tag <= 'Z') && !strchr("._-+/=!:&#", *tag))
			return false;
	return true;
}

static void put_tags(FILE *out, const struct te_lvm_strings *tags)
{
	size_t i;

	if (!tags->nr)
		return;
	fputs("\t\t\ttags = [", out);
	for (i = 0; i < tags->nr; i++)
		fprintf(out, "%s\"%s\"", i ? ", " : "", tags->strings[i]);
	fputs("]\n", out);
}

/* All that stands before the segment's own. */
static void put_head(FILE *out, const struct te_lvm_text_pool *pool, const struct te_lvm_lv *lv)
{
	fprintf(out, "\n\t\t%s {\n\t\t\tid = \"%s\"\n", lv->name, lv->uuid);
	fprintf(out, "\t\t\tstatus = [\"READ\", %s\"VISIBLE\"]\n",
		lv->read_only ? "" : "\"WRITE\", ");
	fprintf(out, "\t\t\tflags = [%s%s%s]\n", lv->skip_activation ? "\"ACTIVATION_SKIP\"" : "",
		lv->skip_activation && lv->error_when_full ? ", " : "",
		lv->error_when_full ? "\"ERROR_WHEN_FULL\"" : "");
	put_tags(out, &lv->tags);
	if (lv->created)
		fprintf(out, "\t\t\tcreation_time = %llu\n\t\t\tcreation_host = \"%s\"\n",
			(unsigned long long)lv->created, lv->host ? lv->host : "");
	fprintf(out, "\t\t\tsegment_count = 1\n\n\t\t\tsegment1 {\n\t\t\t\tstart_extent = 0\n"
		"\t\t\t\textent_count = %llu\n\n",
		(unsigned long long)DIV_ROUND_UP(lv->sectors, pool->extent_sectors));
}

static void put_pool(FILE *out, const struct te_lvm_text_pool *pool)
{
	const struct te_lvm_lv *lv = pool->lv;

	put_head(out, pool, lv);
	fprintf(out, "\t\t\t\ttype = \"thin-pool\"\n\t\t\t\tmetadata = \"%s_tmeta\"\n"
		"\t\t\t\tpool = \"%s_tdata\"\n", lv->name, lv->name);
	fprintf(out, "\t\t\t\ttransaction_id = %llu\n\t\t\t\tchunk_size = %llu\n",
		(unsigned long long)lv->transaction_id, (unsigned long long)lv->chunk_sectors);
	fprintf(out, "\t\t\t\tdiscards = \"%s\"\n\t\t\t\tzero_new_blocks = %d\n\t\t\t}\n\t\t}\n",
		lv->discards ? lv->discards : "passdown", lv->zero);
}

static void put_volume(FILE *out, const struct te_lvm_text_pool *pool,
		       const struct te_lvm_lv *lv)
{
	put_head(out, pool, lv);
	fprintf(out, "\t\t\t\ttype = \"thin\"\n\t\t\t\tthin_pool = \"%s\"\n", pool->lv->name);
	fprintf(out, "\t\t\t\ttransaction_id = %llu\n\t\t\t\tdevice_id = %u\n",
		(unsigned long long)lv->transaction_id, lv->dev_id);
	if (lv->origin)
		fprintf(out, "\t\t\t\torigin = \"%s\"\n", lv->origin);
	fputs("\t\t\t}\n\t\t}\n", out);
}

static void put_all(FILE *out, const struct te_lvm_text_pool *pool)
{
	size_t i;

	put_pool(out, pool);
	for (i = 0; i < pool->nr_volumes; i++)
		put_volume(out, pool, &pool->volumes[i]);
}

size_t te_lvm_text_bytes(const struct te_lvm_text_pool *pool)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return 0;
	put_all(out, pool);
	fclose(out);
	free(text);
	return bytes;
}

/* Braces of a line, but for those in strings and comments. */
static bool count_braces(struct editing *editing, const char *line, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes && (editing->in_string || line[i] != '#'); i++) {
		if (editing->in_string && line[i] == '\\')
			i++;
		else if (line[i] == '"')
			editing->in_string = !editing->in_string;
		else if (!editing->in_string && line[i] == '{')
			editing->depth++;
		else if (!editing->in_string && line[i] == '}' && !editing->depth--)
			return cannot(editing, "it has more closing braces than opening ones", NULL);
	}
	return true;
}

/* "\t\tNAME {" and nothing else: how long the name is, or 0. */
static size_t opened(const char *line, size_t bytes, const char **name)
{
	size_t length;

	if (bytes < 3 || strncmp(line, "\t\t", 2))
		return 0;
	*name = line + 2;
	for (length = 0; length < bytes - 2 && (*name)[length] != ' '; length++)
		;
	return bytes - 2 - length == 2 && !strncmp(*name + length, " {", 2) ? length : 0;
}

static bool is_name(const char *name, size_t bytes, const char *wanted)
{
	return bytes == strlen(wanted) && !strncmp(name, wanted, bytes);
}

/* A name that would stand twice in the group. */
static bool check_free(struct editing *editing, const char *name, size_t bytes)
{
	static const char taken[] = "there is a volume already that is called";
	const struct te_lvm_text_pool *pool = editing->pool;
	size_t i;

	for (i = 0; i < NR_PARTS; i++)
		if (editing->parts[i].from && is_name(name, bytes, editing->parts[i].to))
			return cannot(editing, taken, editing->parts[i].to);
	if (is_name(name, bytes, pool->lv->name))
		return cannot(editing, taken, pool->lv->name);
	for (i = 0; i < pool->nr_volumes; i++)
		if (is_name(name, bytes, pool->volumes[i].name))
			return cannot(editing, taken, pool->volumes[i].name);
	return true;
}

static struct part *find_part(struct editing *editing, const char *name, size_t bytes)
{
	size_t i;

	for (i = 0; i < NR_PARTS; i++)
		if (editing->parts[i].from && is_name(name, bytes, editing->parts[i].from))
			return &editing->parts[i];
	return NULL;
}

/* A line at the depth of volumes, where one may begin.  -1, or whether it is dealt with. */
static int take_volume(struct editing *editing, const char *line, size_t bytes)
{
	const char *name;
	size_t length = opened(line, bytes, &name);
	struct part *part;

	/* Anything else between volumes would hide a name from us. */
	if (!length && bytes && !is_name(line, bytes, "\t}"))
		return cannot_take(editing, "between its volumes is something unknown", NULL);
	if (!length)
		return 0;
	part = find_part(editing, name, length);
	if (!part)
		return check_free(editing, name, length) ? 0 : -1;
	if (part->found)
		return cannot_take(editing, "it has twice the volume", part->from);
	part->found = true;
	editing->inside = part;
	if (*part->to)
		fprintf(editing->out, "\t\t%s {\n", part->to);
	return 1;
}

static bool starts(const char *line, size_t bytes, const char *word)
{
	return bytes > strlen(word) && !strncmp(line, word, strlen(word));
}

/* A line inside a part.  True when it is dealt with. */
static bool take_inside(struct editing *editing, const char *line, size_t bytes)
{
	if (!*editing->inside->to)
		return true;
	if (editing->depth != 3)
		return false;
	if (starts(line, bytes, "\t\t\tstatus = [")) {
		fputs("\t\t\tstatus = [\"READ\", \"WRITE\"]\n", editing->out);
		return true;
	}
	if (starts(line, bytes, "\t\t\tflags = [")) {
		fputs("\t\t\tflags = []\n", editing->out);
		return true;
	}
	return starts(line, bytes, "\t\t\ttags = [");
}

/* One line, without its end, at the depth that it begins with. */
static bool take_line(struct editing *editing, const char *line, size_t bytes)
{
	int written = 0;

	if (editing->in_string) {
		written = editing->inside && !*editing->inside->to;
	} else if (editing->depth == 1 && is_name(line, bytes, "\tlogical_volumes {")) {
		if (editing->had_volumes)
			return cannot(editing, "it has its volumes twice", NULL);
		editing->in_volumes = editing->had_volumes = true;
		fprintf(editing->out, "%.*s\n", (int)bytes, line);
		put_all(editing->out, editing->pool);
		written = 1;
	} else if (editing->in_volumes && editing->depth == 2) {
		written = take_volume(editing, line, bytes);
	} else if (editing->inside) {
		written = take_inside(editing, line, bytes);
	}
	if (written < 0 || !count_braces(editing, line, bytes))
		return false;
	if (editing->depth < 3)
		editing->inside = NULL;
	if (editing->depth < 2)
		editing->in_volumes = false;
	if (!written)
		fprintf(editing->out, "%.*s\n", (int)bytes, line);
	return true;
}

static bool edit(struct editing *editing, const char *text)
{
	size_t i;

	while (*text) {
		size_t bytes = strcspn(text, "\n");

		if (!take_line(editing, text, bytes))
			return false;
		text += bytes + (text[bytes] == '\n');
	}
	if (editing->depth || editing->in_string || !editing->had_volumes)
		return cannot(editing, "it has no end, or no volumes", NULL);
	for (i = 0; i < NR_PARTS; i++)
		if (editing->parts[i].from && !editing->parts[i].found)
			return cannot(editing, "it has no volume", editing->parts[i].from);
	return true;
}

static bool check_lv(struct editing *editing, const struct te_lvm_lv *lv)
{
	size_t i;

	if (!te_lvm_is_name(lv->name, strlen(lv->name)))
		return cannot(editing, "LVM takes no such name:", lv->name);
	if (lv->origin && !te_lvm_is_name(lv->origin, strlen(lv->origin)))
		return cannot(editing, "LVM takes no such name:", lv->origin);
	for (i = 0; i < lv->tags.nr; i++)
		if (!te_lvm_is_tag(lv->tags.strings[i]))
			return cannot(editing, "LVM takes no such tag at", lv->name);
	if ((lv->host && !te_lvm_is_plain(lv->host)) || !te_lvm_is_plain(lv->uuid) ||
	    (lv->discards && !te_lvm_is_plain(lv->discards)))
		return cannot(editing, "LVM takes no such text at", lv->name);
	return true;
}

static bool check_new(struct editing *editing)
{
	const struct te_lvm_text_pool *pool = editing->pool;
	size_t i, j;

	if (!check_lv(editing, pool->lv))
		return false;
	for (i = 0; i < pool->nr_volumes; i++) {
		const char *name = pool->volumes[i].name;

		if (!check_lv(editing, &pool->volumes[i]))
			return false;
		for (j = 0; j < i; j++)
			if (!strcmp(name, pool->volumes[j].name))
				return cannot(editing, "two volumes would be called", name);
		if (!strcmp(name, pool->lv->name))
			return cannot(editing, "a volume and the pool would both be called", name);
	}
	return true;
}

static void name_parts(struct editing *editing)
{
	const struct te_lvm_text_pool *pool = editing->pool;
	struct part *parts = editing->parts;

	parts[0].from = pool->data;
	snprintf(parts[0].to, sizeof(parts[0].to), "%s_tdata", pool->lv->name);
	parts[1].from = pool->metadata;
	snprintf(parts[1].to, sizeof(parts[1].to), "%s_tmeta", pool->lv->name);
	parts[2].from = pool->spare;
	snprintf(parts[2].to, sizeof(parts[2].to), SPARE_NAME);
	parts[3].from = pool->old_spare;
}

char *te_lvm_text_add_pool(const char *text, const struct te_lvm_text_pool *pool, char *why,
			   size_t why_bytes)
{
	struct editing editing = { .pool = pool, .why = why, .why_bytes = why_bytes };
	char *edited = NULL;
	size_t bytes;
	bool ok;

	if (!check_new(&editing))
		return NULL;
	name_parts(&editing);
	editing.out = open_memstream(&edited, &bytes);
	if (!editing.out) {
		cannot(&editing, "there is no memory for it", NULL);
		return NULL;
	}
	ok = edit(&editing, text);
	if (ferror(editing.out) && ok)
		ok = cannot(&editing, "there is no memory for it", NULL);
	if (fclose(editing.out) && ok)
		ok = cannot(&editing, "there is no memory for it", NULL);
	if (ok)
		return edited;
	free(edited);
	return NULL;
}

bool te_lvm_text_seqno(const char *text, u64 *seqno)
{
	static const char word[] = "\n\tseqno = ";
	const char *found = strstr(text, word), *rest;

	return found && te_parse_number(found + strlen(word), '\n', UINT32_MAX, seqno, &rest);
}

int te_lvm_text_uuid(char uuid[TE_LVM_UUID_BYTES])
{
	static const char letters[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01";
	unsigned char random[TE_LVM_UUID_BYTES - 1];
	size_t i;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	for (i = 0; i < sizeof(random); i++)
		uuid[i] = i >= 6 && i <= 31 && (i - 6) % 5 == 0 ? '-' : letters[random[i] % 64];
	uuid[i] = '\0';
	return 0;
}
