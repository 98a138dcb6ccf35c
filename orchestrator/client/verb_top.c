// SPDX-License-Identifier: Apache-2.0
/*
 * top: the live view, drawn from the same tables as "get". Keys: q quit, s < > sort, r reverse,
 * p pause. -b -n N prints N pages.
 */
#include <curses.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/clock.h"
#include "orchestrator/client/verb.h"

#define SERVICES_SHOWN_MAX  512
#define NODES_SHOWN_MAX     512
/* Two lines of head and the titles are above. */
#define SERVICES_FIRST_LINE 3

enum sort_key { SORT_NAME, SORT_LEVEL, SORT_CORES, SORT_KEYS };

struct page {
    struct cluster_status cluster;
    struct service_status services[SERVICES_SHOWN_MAX];
    uint32_t services_count;
    struct node_view nodes[NODES_SHOWN_MAX];
    uint32_t nodes_count;
    uint32_t left_out;
    enum sort_key key;
    bool reverse;
    struct item item; /* large: a row on its way to a table */
};

static void take_page(void *context, const struct item *item)
{
    struct page *page = context;
    if (item->kind == ITEM_KIND_CLUSTER_STATUS) {
        page->cluster = item->cluster_status;
    } else if (item->kind == ITEM_KIND_SERVICE_STATUS &&
               page->services_count < SERVICES_SHOWN_MAX) {
        page->services[page->services_count++] = item->service_status;
    } else if (item->kind == ITEM_KIND_NODE_VIEW && page->nodes_count < NODES_SHOWN_MAX) {
        page->nodes[page->nodes_count++] = item->node_view;
    } else {
        page->left_out++;
    }
}

static int compare_names(const void *a, const void *b)
{
    const struct service_status *x = a;
    const struct service_status *y = b;
    return strcmp(x->service, y->service);
}

static int compare_levels(const void *a, const void *b)
{
    const struct service_status *x = a;
    const struct service_status *y = b;
    double dx = x->level_known ? x->level : 2.0;
    double dy = y->level_known ? y->level : 2.0;
    return dx < dy ? -1 : dx > dy ? 1 : compare_names(a, b);
}

static int compare_cores(const void *a, const void *b)
{
    const struct service_status *x = a;
    const struct service_status *y = b;
    return x->cap_pct > y->cap_pct ? -1 : x->cap_pct < y->cap_pct ? 1 : compare_names(a, b);
}

static int compare_nodes(const void *a, const void *b)
{
    const struct node_view *x = a;
    const struct node_view *y = b;
    return strcmp(x->node, y->node);
}

static void sort_page(struct page *page)
{
    static int (*const compare[SORT_KEYS])(const void *, const void *) = {
        compare_names, compare_levels, compare_cores};
    qsort(page->services, page->services_count, sizeof page->services[0], compare[page->key]);
    for (uint32_t i = 0; page->reverse && i < page->services_count / 2; i++) {
        struct service_status swap = page->services[i];
        page->services[i] = page->services[page->services_count - 1 - i];
        page->services[page->services_count - 1 - i] = swap;
    }
    qsort(page->nodes, page->nodes_count, sizeof page->nodes[0], compare_nodes);
}

/* The page as text: a head, then two tables that fit the width. */
static int print_page(FILE *out, const struct output_options *options, struct page *page)
{
    struct output *services = output_begin(out, options);
    struct output *nodes = output_begin(out, options);
    if (services == NULL || nodes == NULL) {
        output_drop(services);
        output_drop(nodes);
        return -1;
    }
    sort_page(page);
    verb_print_head(out, &page->cluster);
    for (uint32_t i = 0; i < page->services_count; i++) {
        page->item.kind = ITEM_KIND_SERVICE_STATUS;
        page->item.service_status = page->services[i];
        output_item(services, &page->item);
    }
    for (uint32_t i = 0; i < page->nodes_count; i++) {
        page->item.kind = ITEM_KIND_NODE_VIEW;
        page->item.node_view = page->nodes[i];
        output_item(nodes, &page->item);
    }
    (void)output_end(services);
    (void)output_end(nodes);
    if (page->left_out > 0) {
        (void)fprintf(out, "and %u more: arbiter get svc, arbiter get node\n", page->left_out);
    }
    return 0;
}

/* ---- on a terminal ---- */

static void clear_page(struct page *page)
{
    memset(&page->cluster, 0, sizeof page->cluster);
    page->services_count = 0;
    page->nodes_count = 0;
    page->left_out = 0;
}

/* Reads into a fresh page, so that what was shown stays when the orchestrator is away. */
static int read_page(struct client *client, struct page *page, struct reply *reply)
{
    struct page *fresh = calloc(1, sizeof *fresh);
    int code = REPLY_FAILED;
    (void)strcpy(reply->text, "no memory");
    if (fresh == NULL) {
        return code;
    }
    (void)client_request(client, METHOD_STATUS);
    do {
        code = client_try(client, reply, take_page, fresh);
        client->request->after = reply->next;
    } while (code == 0 && reply->next != 0);
    if (code == 0) {
        fresh->key = page->key;
        fresh->reverse = page->reverse;
        *page = *fresh;
    }
    free(fresh);
    return code;
}

/* A service that misses its objective is marked with "!" and shown in reverse. */
static void draw_line(int row, const char *line, const struct page *page, int index)
{
    bool is_service = index >= 2 && (uint32_t)(index - 2) < page->services_count;
    bool missed =
        is_service && page->services[index - 2].level_known && !page->services[index - 2].met;
    (void)attr_set(index == 0 ? A_BOLD : missed ? A_REVERSE : A_NORMAL, 0, NULL);
    (void)mvaddstr(row, 0, line);
    (void)attr_set(A_NORMAL, 0, NULL);
}

static void draw_page(const struct client *client, struct page *page, const char *note)
{
    char *text = NULL;
    size_t size = 0;
    struct output_options options = client->output;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return;
    }
    options.format = OUTPUT_TABLE;
    options.bars = true;
    options.width = COLS - 1;
    (void)print_page(out, &options, page);
    (void)fclose(out);
    (void)erase();
    int index = 0;
    char *next = NULL;
    for (char *line = text; line != NULL && *line != '\0' && index < LINES - 1; line = next) {
        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        draw_line(index, line, page, index);
        index++;
    }
    (void)mvaddnstr(LINES - 1, 0, note, COLS - 1);
    (void)refresh();
    free(text);
}

static const char *note_of(const struct page *page, bool paused)
{
    static const char *const keys[SORT_KEYS] = {
        "q quit   s < > sort (name)   r reverse   p pause   more: arbiter why SERVICE",
        "q quit   s < > sort (level)   r reverse   p pause   more: arbiter why SERVICE",
        "q quit   s < > sort (cores)   r reverse   p pause   more: arbiter why SERVICE"};
    return paused ? "PAUSED   p go on   q quit" : keys[page->key];
}

static void press(struct page *page, int key, bool *paused)
{
    page->reverse = key == 'r' ? !page->reverse : page->reverse;
    *paused = key == 'p' ? !*paused : *paused;
    if (key == 's' || key == '>') {
        page->key = (enum sort_key)((page->key + 1) % SORT_KEYS);
    } else if (key == '<') {
        page->key = (enum sort_key)((page->key + SORT_KEYS - 1) % SORT_KEYS);
    }
}

static int run_screen(struct client *client, struct page *page, int period_ms)
{
    struct reply reply;
    bool paused = false;
    int code = read_page(client, page, &reply);
    if (code != 0) {
        return client_tell_reply(client, &reply); /* before the screen is taken */
    }
    if (initscr() == NULL) {
        return client_error(client, REPLY_FAILED, "the terminal cannot be used; try top -b");
    }
    (void)cbreak();
    (void)noecho();
    (void)curs_set(0);
    timeout(period_ms);
    draw_page(client, page, note_of(page, paused));
    for (int pressed = getch(); pressed != 'q'; pressed = getch()) {
        press(page, pressed, &paused);
        code = paused ? 0 : read_page(client, page, &reply);
        draw_page(client, page, code == 0 ? note_of(page, paused) : reply.text);
    }
    (void)endwin();
    return 0;
}

/* ---- pages ---- */

static int print_batch(struct client *client, struct page *page)
{
    struct reply reply;
    if (!output_is_table(&client->output)) {
        return verb_print_status(client);
    }
    clear_page(page);
    int code = read_page(client, page, &reply);
    if (code != 0) {
        return client_tell_reply(client, &reply);
    }
    struct output_options options = client->output;
    options.bars = true;
    return print_page(stdout, &options, page) == 0 ? 0 : REPLY_FAILED;
}

static int run_batch(struct client *client, struct page *page, int period_ms)
{
    client->output.json_lines = true;
    client_follow(client);
    for (uint64_t i = 0; client->count == 0 || i < client->count; i++) {
        if (i > 0 && client_pause(client, period_ms)) {
            return EXIT_INTERRUPTED;
        }
        if (i > 0 && client->output.format == OUTPUT_YAML) {
            (void)fputs("---\n", stdout);
        }
        client->output.no_header =
            client->output.no_header || (i > 0 && client->output.format == OUTPUT_CSV);
        int code = print_batch(client, page);
        if (code != 0 && code != CLIENT_AWAY) {
            return code;
        }
        (void)fflush(stdout);
    }
    return 0;
}

int verb_top(struct client *client, int count, char **words)
{
    (void)words;
    if (count > 0) {
        return client_error(client, REPLY_INVALID, "top takes no words");
    }
    struct page *page = calloc(1, sizeof *page);
    if (page == NULL) {
        return client_error(client, REPLY_FAILED, "no memory");
    }
    // NOLINTNEXTLINE(concurrency-mt-unsafe): curses draws bars by the locale of the process
    (void)setlocale(LC_CTYPE, "");
    int period_ms = client->watch_ms > 0 ? client->watch_ms : 1000;
    bool screen = !client->batch && client->output.width > 0 && client->output.is_screen &&
                  output_is_table(&client->output);
    int code =
        screen ? run_screen(client, page, period_ms) : run_batch(client, page, period_ms);
    free(page);
    return code;
}
