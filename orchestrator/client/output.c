// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/client/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/client/columns.h"
#include "proto/text.h"
#include "proto/text_tree.h"

#define COLUMNS_MAX    24
/* A column of free text is worth keeping from this width on. */
#define TEXT_WIDTH_MIN 30

struct output {
    FILE *out;
    struct output_options options;
    const struct column *columns;
    int columns_count;
    char **cells; /* rows times COLUMNS_MAX */
    size_t rows;
    size_t rows_capacity;
    json_t *list; /* of JSON */
    bool failed;  /* no memory */
    int count;
};

bool output_is_tree(const struct output_options *options)
{
    return options->format == OUTPUT_JSON || options->format == OUTPUT_YAML;
}

bool output_is_table(const struct output_options *options)
{
    return options->format == OUTPUT_TABLE || options->format == OUTPUT_WIDE;
}

struct output *output_begin(FILE *out, const struct output_options *options)
{
    struct output *output = calloc(1, sizeof *output);
    if (output == NULL) {
        (void)fputs("arbiter: error: no memory\n", stderr);
        return NULL;
    }
    output->out = out;
    output->options = *options;
    output->list = json_array();
    return output;
}

/* ---- cells ---- */

void output_expect(struct output *output, enum item_kind kind, enum object_kind object)
{
    if (output->columns != NULL) {
        return;
    }
    output->columns = columns_of(kind, object);
    while (output->columns_count < COLUMNS_MAX &&
           output->columns[output->columns_count].title != NULL) {
        output->columns_count++;
    }
}

static bool make_room(struct output *output)
{
    if (output->rows < output->rows_capacity) {
        return true;
    }
    size_t wanted = output->rows_capacity == 0 ? 64 : output->rows_capacity * 2;
    char **larger = realloc(output->cells, wanted * COLUMNS_MAX * sizeof *larger);
    if (larger == NULL) {
        output->failed = true;
        return false;
    }
    output->cells = larger;
    output->rows_capacity = wanted;
    return true;
}

static void add_row(struct output *output, const struct item *item, const struct item *status)
{
    if (!make_room(output)) {
        return;
    }
    char **row = output->cells + output->rows * COLUMNS_MAX;
    for (int i = 0; i < output->columns_count; i++) {
        char cell[CELL_SIZE] = "";
        output->columns[i].format(item, status, cell);
        row[i] = strdup(cell);
        output->failed = output->failed || row[i] == NULL;
    }
    output->rows++;
}

static const char *cell_at(const struct output *output, size_t row, int column)
{
    const char *cell = output->cells[row * COLUMNS_MAX + (size_t)column];
    return cell != NULL ? cell : "";
}

/* ---- JSON and YAML ---- */

static json_t *pair_tree(const struct item *item, const struct item *status)
{
    json_t *tree = text_item_tree(item);
    if (tree != NULL && status != NULL) {
        (void)json_object_set_new(tree, "status", text_item_tree(status));
    }
    return tree;
}

int output_tree(FILE *out, const struct output_options *options, json_t *tree)
{
    int rc = tree == NULL ? -ENOMEM : 0;
    bool yaml = options->format == OUTPUT_YAML;
    if (rc == 0 && yaml) {
        rc = text_write_tree(out, TEXT_YAML, tree);
    }
    if (tree != NULL && (!yaml || rc == -ENOMEM)) { /* too large for YAML: JSON is YAML too */
        rc = text_write_tree(out, options->json_lines ? TEXT_JSON_LINE : TEXT_JSON, tree);
        (void)fputs(options->json_lines ? "" : "\n", out);
    }
    json_decref(tree);
    (void)fflush(out);
    return rc;
}

void output_append(void *array, const struct item *item)
{
    (void)json_array_append_new(array, text_item_tree(item));
}

void output_take_tree(struct output *output, json_t *tree)
{
    output->count++;
    if (output->options.json_lines) {
        output->failed = output_tree(output->out, &output->options, tree) != 0;
    } else if (json_array_append_new(output->list, tree) != 0) {
        output->failed = true;
    }
}

/* An object that has a file is written as that file, so that it can be applied again; what the
 * orchestrator keeps about it is a comment. */
static void print_yaml(struct output *output, const struct item *item,
                       const struct item *status)
{
    (void)fputs(output->count > 0 ? "---\n" : "", output->out);
    if (item->kind == ITEM_KIND_OBJECT && item->object.kind != OBJECT_KIND_VM) {
        const struct object *object = &item->object;
        if (object->owner[0] != '\0') {
            (void)fprintf(output->out, "# owner %s, revision %llu\n", object->owner,
                          (unsigned long long)object->revision);
        }
        output->failed = text_write_object(output->out, TEXT_YAML, object) != 0;
        return;
    }
    output->failed = output_tree(output->out, &output->options, pair_tree(item, status)) != 0;
}

/* ---- CSV ---- */

void output_csv_cell(FILE *out, const char *text)
{
    if (strpbrk(text, ",\"\r\n") == NULL) {
        (void)fputs(text, out);
        return;
    }
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            (void)fputc('"', out);
        }
        (void)fputc(*text, out);
    }
    (void)fputc('"', out);
}

static bool is_in_csv(const struct column *column)
{
    return column->shown != COLUMN_BARS;
}

static void print_csv(const struct output *output)
{
    for (int i = 0; i < output->columns_count && !output->options.no_header; i++) {
        if (is_in_csv(&output->columns[i])) {
            (void)fprintf(output->out, "%s%s", i > 0 ? "," : "", output->columns[i].title);
        }
    }
    (void)fputs(output->columns_count > 0 && !output->options.no_header ? "\n" : "",
                output->out);
    for (size_t row = 0; row < output->rows; row++) {
        for (int i = 0; i < output->columns_count; i++) {
            if (is_in_csv(&output->columns[i])) {
                (void)fputs(i > 0 ? "," : "", output->out);
                output_csv_cell(output->out, cell_at(output, row, i));
            }
        }
        (void)fputc('\n', output->out);
    }
}

/* ---- tables ---- */

/* Columns on a terminal: characters, not bytes. */
static size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0u) != 0x80u;
    }
    return width;
}

struct layout {
    size_t widths[COLUMNS_MAX];
    bool shown[COLUMNS_MAX];
    int last; /* column that is shown */
};

static size_t column_width(const struct output *output, int column)
{
    size_t width = output->options.no_header ? 0 : text_width(output->columns[column].title);
    for (size_t row = 0; row < output->rows; row++) {
        size_t cell_width = text_width(cell_at(output, row, column));
        width = cell_width > width ? cell_width : width;
    }
    return width;
}

/* The width that a column cannot do without: free text may be cut. */
static size_t width_needed(const struct output *output, const struct layout *layout, int i)
{
    bool cut = output->columns[i].text && layout->widths[i] > TEXT_WIDTH_MIN;
    return cut ? TEXT_WIDTH_MIN : layout->widths[i];
}

static size_t total_width(const struct output *output, const struct layout *layout)
{
    size_t total = 0;
    for (int i = 0; i < output->columns_count; i++) {
        total += layout->shown[i] ? width_needed(output, layout, i) + 2 : 0;
    }
    return total > 0 ? total - 2 : 0;
}

static int most_droppable(const struct output *output, const struct layout *layout)
{
    int worst = -1;
    for (int i = 0; i < output->columns_count; i++) {
        if (layout->shown[i] && output->columns[i].drop > 0 &&
            (worst < 0 || output->columns[i].drop >= output->columns[worst].drop)) {
            worst = i;
        }
    }
    return worst;
}

/* Leaves out wide columns, then the most droppable ones until the rest fits; free text gets
 * what is left of the line. */
static void choose_columns(const struct output *output, struct layout *layout)
{
    bool wide = output->options.format == OUTPUT_WIDE;
    size_t room = output->options.width > 0 && !wide ? (size_t)output->options.width : SIZE_MAX;
    for (int i = 0; i < output->columns_count; i++) {
        enum column_shown shown = output->columns[i].shown;
        layout->widths[i] = column_width(output, i);
        layout->shown[i] = shown == COLUMN_ALWAYS || (shown == COLUMN_WIDE && wide) ||
                           (shown == COLUMN_BARS && output->options.bars);
    }
    size_t total = total_width(output, layout);
    for (int worst = 0; total > room; total = total_width(output, layout)) {
        worst = most_droppable(output, layout);
        if (worst < 0) {
            return;
        }
        layout->shown[worst] = false;
    }
    for (int i = 0; i < output->columns_count; i++) {
        size_t needed = width_needed(output, layout, i);
        if (layout->shown[i] && layout->widths[i] > needed && room != SIZE_MAX) {
            size_t more = layout->widths[i] - needed;
            more = more < room - total ? more : room - total;
            layout->widths[i] = needed + more;
            total += more;
        }
    }
}

static void print_cell(const struct output *output, const char *text, size_t width, bool last)
{
    size_t own = text_width(text);
    if (own > width && width > 0) {
        const char *end = text;
        for (size_t i = 0; i + 1 < width; i++) {
            end++;
            while (((unsigned char)*end & 0xc0u) == 0x80u) {
                end++;
            }
        }
        (void)fprintf(output->out, "%.*s…", (int)(end - text), text);
        own = width;
    } else {
        (void)fputs(text, output->out);
    }
    for (size_t pad = own; !last && pad < width + 2; pad++) {
        (void)fputc(' ', output->out);
    }
}

static void print_table(const struct output *output)
{
    struct layout layout = {0};
    if (output->rows == 0) {
        return;
    }
    choose_columns(output, &layout);
    for (int i = 0; i < output->columns_count; i++) {
        layout.last = layout.shown[i] ? i : layout.last;
    }
    for (int i = 0; i < output->columns_count && !output->options.no_header; i++) {
        if (layout.shown[i]) {
            print_cell(output, output->columns[i].title, layout.widths[i], i == layout.last);
        }
    }
    (void)fputs(output->columns_count > 0 && !output->options.no_header ? "\n" : "",
                output->out);
    for (size_t row = 0; row < output->rows; row++) {
        for (int i = 0; i < output->columns_count; i++) {
            if (layout.shown[i]) {
                print_cell(output, cell_at(output, row, i), layout.widths[i], i == layout.last);
            }
        }
        (void)fputc('\n', output->out);
    }
}

/* ---- lists ---- */

void output_pair(struct output *output, const struct item *item, const struct item *status)
{
    output_expect(output, item->kind,
                  item->kind == ITEM_KIND_OBJECT ? item->object.kind : OBJECT_KIND_UNSPECIFIED);
    switch (output->options.format) {
    case OUTPUT_TABLE:
    case OUTPUT_WIDE:
    case OUTPUT_CSV:
    case OUTPUT_NAME: add_row(output, item, status); break;
    case OUTPUT_JSON: output_take_tree(output, pair_tree(item, status)); return;
    case OUTPUT_YAML: print_yaml(output, item, status); break;
    }
    output->count++;
}

void output_item(void *output, const struct item *item)
{
    output_pair(output, item, NULL);
}

int output_end(struct output *output)
{
    int count = output->failed ? -ENOMEM : output->count;
    switch (output->options.format) {
    case OUTPUT_TABLE:
    case OUTPUT_WIDE: print_table(output); break;
    case OUTPUT_CSV: print_csv(output); break;
    case OUTPUT_NAME:
        for (size_t row = 0; row < output->rows; row++) {
            (void)fprintf(output->out, "%s\n", cell_at(output, row, 0));
        }
        break;
    case OUTPUT_JSON:
        if (!output->options.json_lines) {
            count = output_tree(output->out, &output->options, json_incref(output->list)) == 0
                        ? count
                        : -ENOMEM;
        }
        break;
    case OUTPUT_YAML: break;
    }
    (void)fflush(output->out);
    output_drop(output);
    return count;
}

void output_drop(struct output *output)
{
    if (output == NULL) {
        return;
    }
    for (size_t row = 0; row < output->rows; row++) {
        for (int i = 0; i < output->columns_count; i++) {
            free(output->cells[row * COLUMNS_MAX + (size_t)i]);
        }
    }
    json_decref(output->list);
    free(output->cells);
    free(output);
}

const char *output_color(const struct output_options *options, enum output_color color)
{
    static const char *const codes[] = {"\033[0m", "\033[31m", "\033[32m", "\033[33m"};
    return options->color ? codes[color] : "";
}
