// SPDX-License-Identifier: Apache-2.0
/* status: the health of the cluster on one screen. The same document is what top -b prints. */
#include <string.h>

#include "orchestrator/client/columns.h"
#include "orchestrator/client/verb.h"
#include "proto/text_tree.h"

struct health {
    struct output *services;
    struct output *nodes;
    struct cluster_status cluster;
    bool cluster_known;
    uint32_t nodes_lost;
    uint32_t services_missed;
    char first_problem[TEXT_SIZE];
};

static void take_health(void *context, const struct item *item)
{
    struct health *health = context;
    if (item->kind == ITEM_KIND_CLUSTER_STATUS) {
        health->cluster = item->cluster_status;
        health->cluster_known = true;
    } else if (item->kind == ITEM_KIND_SERVICE_STATUS) {
        const struct service_status *service = &item->service_status;
        health->services_missed += service->level_known && !service->met;
        if (health->first_problem[0] == '\0' && service->problem_text[0] != '\0') {
            (void)snprintf(health->first_problem, TEXT_SIZE, "%.60s: %.190s", service->service,
                           service->problem_text);
        }
        output_item(health->services, item);
    } else if (item->kind == ITEM_KIND_NODE_VIEW) {
        health->nodes_lost += item->node_view.state == NODE_STATE_EXPIRED ||
                              item->node_view.state == NODE_STATE_SUSPECT;
        output_item(health->nodes, item);
    }
}

void verb_print_head(FILE *out, const struct cluster_status *status)
{
    const char *mode = column_mode_word(status->mode);
    (void)fprintf(out, "mode ");
    for (const char *letter = mode; *letter != '\0'; letter++) {
        (void)fputc(*letter >= 'a' && *letter <= 'z' ? *letter - 'a' + 'A' : *letter, out);
    }
    (void)fprintf(out, "   %u/%u nodes up   %u service%s (%u met)\n     ", status->nodes_up,
                  status->nodes, status->services, status->services == 1 ? "" : "s",
                  status->services_met);
    if (status->services > status->services_unknown) {
        (void)fprintf(out, "mean level %.2f   sigma %.3g\n", status->mean_level, status->sigma);
    } else {
        (void)fprintf(out, "no level measured\n");
    }
}

static void print_checks(const struct health *health)
{
    if (health->nodes_lost > 0) {
        (void)printf("  NODE_LOST          %u node%s not heard: arbiter get nodes\n",
                     health->nodes_lost, health->nodes_lost == 1 ? "" : "s");
    }
    if (health->services_missed > 0) {
        (void)printf("  OBJECTIVE_MISSED   %u service%s below one half: arbiter why SERVICE\n",
                     health->services_missed, health->services_missed == 1 ? "" : "s");
    }
    if (health->first_problem[0] != '\0') {
        (void)printf("  PROBLEM            %s\n", health->first_problem);
    }
}

static void print_health(const struct client *client, struct health *health)
{
    bool bad = health->nodes_lost > 0;
    bool warn = health->services_missed > 0 || health->first_problem[0] != '\0';
    (void)printf("%s%s%s   ",
                 output_color(&client->output, bad    ? OUTPUT_RED
                                               : warn ? OUTPUT_YELLOW
                                                      : OUTPUT_GREEN),
                 bad    ? "ERR"
                 : warn ? "WARN"
                        : "OK",
                 output_color(&client->output, OUTPUT_PLAIN));
    verb_print_head(stdout, &health->cluster);
    print_checks(health);
    (void)fputc('\n', stdout);
    int services = output_end(health->services);
    (void)fputs(services > 0 ? "\n" : "", stdout);
    (void)output_end(health->nodes);
}

static int print_screen(struct client *client)
{
    struct health health = {.services = output_begin(stdout, &client->output),
                            .nodes = output_begin(stdout, &client->output)};
    int code = REPLY_FAILED;
    if (health.services != NULL && health.nodes != NULL) {
        (void)client_request(client, METHOD_STATUS);
        code = client_read_all(client, take_health, &health);
    }
    if (code == 0 && health.cluster_known) {
        print_health(client, &health);
        return 0;
    }
    output_drop(health.services);
    output_drop(health.nodes);
    return code;
}

/* ---- for programs ---- */

static void take_member(void *context, const struct item *item)
{
    json_t *root = context;
    if (item->kind == ITEM_KIND_CLUSTER_STATUS) {
        (void)json_object_set_new(root, "cluster", text_item_tree(item));
    } else if (item->kind == ITEM_KIND_SERVICE_STATUS) {
        output_append(json_object_get(root, "services"), item);
    } else if (item->kind == ITEM_KIND_NODE_VIEW) {
        output_append(json_object_get(root, "nodes"), item);
    }
}

static int print_tree(struct client *client)
{
    json_t *root = json_object();
    (void)json_object_set_new(root, "cluster", json_object());
    (void)json_object_set_new(root, "services", json_array());
    (void)json_object_set_new(root, "nodes", json_array());
    int code = client_poll(client, take_member, root);
    if (code != 0) {
        json_decref(root);
        return code;
    }
    return output_tree(stdout, &client->output, root) == 0
               ? 0
               : client_error(client, REPLY_FAILED, "no memory");
}

static void take_row(void *context, const struct item *item)
{
    if (item->kind == ITEM_KIND_CLUSTER_STATUS) {
        output_item(context, item);
    }
}

static void take_name(void *context, const struct item *item)
{
    (void)context;
    if (item->kind == ITEM_KIND_SERVICE_STATUS) {
        (void)printf("service/%s\n", item->service_status.service);
    } else if (item->kind == ITEM_KIND_NODE_VIEW) {
        (void)printf("node/%s\n", item->node_view.node);
    }
}

/* CSV: the summary, one row; services and nodes have "get". */
static int print_csv(struct client *client)
{
    struct output *output = output_begin(stdout, &client->output);
    if (output == NULL) {
        return REPLY_FAILED;
    }
    int code = client_poll(client, take_row, output);
    if (code == 0) {
        (void)output_end(output);
    } else {
        output_drop(output);
    }
    return code;
}

int verb_print_status(struct client *client)
{
    (void)client_request(client, METHOD_STATUS);
    switch (client->output.format) {
    case OUTPUT_JSON:
    case OUTPUT_YAML: return print_tree(client);
    case OUTPUT_CSV: return print_csv(client);
    case OUTPUT_NAME: return client_poll(client, take_name, NULL);
    case OUTPUT_TABLE:
    case OUTPUT_WIDE: break;
    }
    return print_screen(client);
}

int verb_status(struct client *client, int count, char **words)
{
    (void)words;
    if (count > 0) {
        return client_error(client, REPLY_INVALID, "status takes no words");
    }
    return verb_print_status(client);
}
