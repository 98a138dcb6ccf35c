// SPDX-License-Identifier: Apache-2.0
/* The families with a row for each service, node or VM. Names of objects are words of
 * [a-z0-9.-], so that labels need no escapes. */
#include <math.h>
#include <stddef.h>

#include "orchestrator/io/metrics_text_parts.h"

#define LABELS_SIZE (4 * NAME_SIZE)

/* A family and where its value is in a row. */
struct column {
    struct metrics_family_name family;
    size_t offset;
};

static double value_at(const void *row, size_t offset)
{
    return *(const double *)(const void *)((const unsigned char *)row + offset);
}

/* ---- services ---- */

#define SERVICE(name, type, help, member)                                                      \
    {                                                                                          \
        {name, type, help}, offsetof(struct metrics_service, member)                           \
    }

static const struct column service_columns[] = {
    SERVICE("service_level_ratio", "gauge", "Level of the service, 0 to 1; 0.5 is on target.",
            level),
    SERVICE("service_level_predicted_ratio", "gauge",
            "Level that the newest solution expects of its caps.", level_predicted),
    SERVICE("service_objective_met", "gauge", "1 when the service is at or over its objective.",
            met),
    SERVICE("service_objective_missed_seconds_total", "counter",
            "Time in which the service was under its objective.", missed_s),
    SERVICE("service_measurement_age_seconds", "gauge",
            "Age of what the level is computed from.", age_s),
    SERVICE("service_requests_per_second", "gauge", "Requests that come in.", request_rate),
    SERVICE("queue_deadline_slack_seconds", "gauge",
            "From the predicted finish to the deadline; negative: too late.", slack_s),
    SERVICE("service_speed_ratio", "gauge", "Speed of the slowest rank; 1 is undisturbed.",
            speed),
    SERVICE("service_cpu_cap_cores", "gauge", "Sum of the CPU caps of its VMs.", cap_cores),
    SERVICE("service_domains_wanted", "gauge", "VMs that should run.", vms_wanted),
    SERVICE("service_domains_running", "gauge", "VMs that run.", vms_running),
    SERVICE("service_profile_outdated", "gauge",
            "1 when its profile was found to be out of date.", profile_outdated),
};

static const char *kind_word(enum service_kind kind)
{
    switch (kind) {
    case SERVICE_KIND_WEB: return "web";
    case SERVICE_KIND_QUEUE: return "queue";
    case SERVICE_KIND_CLUSTER: return "cluster";
    case SERVICE_KIND_UNSPECIFIED: break;
    }
    return "unknown";
}

static void print_response(FILE *out, const struct metrics_view *view, const char *name,
                           const char *help, size_t offset)
{
    metrics_family(out, name, "gauge", help);
    for (uint32_t i = 0; i < view->rows.services; i++) {
        const struct metrics_service *row = &view->services[i];
        char labels[LABELS_SIZE];
        (void)snprintf(labels, sizeof labels, "{service=\"%s\",stat=\"%s\"}", row->service,
                       row->statistic);
        metrics_value_line(out, name, labels, value_at(row, offset));
    }
}

static void print_jobs(FILE *out, const struct metrics_view *view)
{
    metrics_family(out, "queue_jobs", "gauge", "Tasks of a queue, done and left.");
    for (uint32_t i = 0; i < view->rows.services; i++) {
        const struct metrics_service *row = &view->services[i];
        char labels[LABELS_SIZE];
        (void)snprintf(labels, sizeof labels, "{service=\"%s\",state=\"done\"}", row->service);
        metrics_value_line(out, "queue_jobs", labels, row->tasks_done);
        (void)snprintf(labels, sizeof labels, "{service=\"%s\",state=\"left\"}", row->service);
        metrics_value_line(out, "queue_jobs", labels, row->tasks_left);
    }
}

void metrics_print_services(FILE *out, const struct metrics_view *view)
{
    for (size_t c = 0; c < sizeof service_columns / sizeof *service_columns; c++) {
        const struct column *column = &service_columns[c];
        metrics_family(out, column->family.name, column->family.type, column->family.help);
        for (uint32_t i = 0; i < view->rows.services; i++) {
            const struct metrics_service *row = &view->services[i];
            char labels[LABELS_SIZE];
            (void)snprintf(labels, sizeof labels, "{service=\"%s\",kind=\"%s\"}", row->service,
                           kind_word(row->kind));
            metrics_value_line(out, column->family.name, labels, value_at(row, column->offset));
        }
    }
    print_response(out, view, "service_objective_seconds", "Response time that was agreed.",
                   offsetof(struct metrics_service, target_s));
    print_response(out, view, "service_response_time_seconds",
                   "Response time that is measured.",
                   offsetof(struct metrics_service, response_s));
    print_jobs(out, view);
}

/* ---- nodes ---- */

#define NODE(name, type, help, member)                                                         \
    {                                                                                          \
        {name, type, help}, offsetof(struct metrics_node, member)                              \
    }

static const struct column node_columns[] = {
    NODE("node_cpu_capacity_cores", "gauge", "CPUs that the node offers.", cpu_cores),
    NODE("node_cpu_granted_cores", "gauge", "Sum of the caps of its VMs.", cpu_granted),
    NODE("node_cpu_used_cores", "gauge", "CPU that all its guests use.", cpu_used),
    NODE("node_memory_capacity_bytes", "gauge", "Memory that the node offers.", memory_bytes),
    NODE("node_memory_granted_bytes", "gauge", "Memory of its VMs.", memory_granted_bytes),
    NODE("node_memory_free_bytes", "gauge", "Memory that is free on the node.",
         memory_free_bytes),
    NODE("node_lease_remaining_seconds", "gauge",
         "Until its protected VMs may be started elsewhere, but for the margin.", lease_s),
    NODE("node_domains", "gauge", "VMs that are assigned to it.", vms),
    NODE("node_messages_lost_total", "counter", "Gaps in the numbers of its telemetry.",
         messages_lost),
};

static const char *state_word(enum node_state state)
{
    switch (state) {
    case NODE_STATE_UNSEEN: return "unseen";
    case NODE_STATE_UP: return "up";
    case NODE_STATE_SUSPECT: return "suspect";
    case NODE_STATE_EXPIRED: return "expired";
    case NODE_STATE_DEAD: return "dead";
    case NODE_STATE_PARKED: return "parked";
    case NODE_STATE_UNSPECIFIED: break;
    }
    return "unknown";
}

static void print_node_states(FILE *out, const struct metrics_page *page)
{
    char labels[LABELS_SIZE];
    metrics_family(out, "node_up", "gauge", "1 when the node reports in time.");
    for (uint32_t i = 0; i < page->view.rows.nodes; i++) {
        const struct metrics_node *row = &page->view.nodes[i];
        (void)snprintf(labels, sizeof labels, "{node=\"%s\"}", row->node);
        metrics_value_line(out, "node_up", labels, row->state == NODE_STATE_UP ? 1 : 0);
    }
    metrics_family(out, "node_state", "gauge", "1 for the state in which the node is.");
    for (uint32_t i = 0; i < page->view.rows.nodes; i++) {
        const struct metrics_node *row = &page->view.nodes[i];
        (void)snprintf(labels, sizeof labels, "{node=\"%s\",state=\"%s\"}", row->node,
                       state_word(row->state));
        metrics_value_line(out, "node_state", labels, 1);
    }
    metrics_family(out, "agent_last_report_timestamp_seconds", "gauge",
                   "When the node was heard last, seconds since 1970.");
    for (uint32_t i = 0; i < page->view.rows.nodes; i++) {
        const struct metrics_node *row = &page->view.nodes[i];
        (void)snprintf(labels, sizeof labels, "{node=\"%s\"}", row->node);
        metrics_value_line(out, "agent_last_report_timestamp_seconds", labels,
                           (double)page->counters.wall_ms / 1000.0 - row->report_age_s);
    }
}

void metrics_print_nodes(FILE *out, const struct metrics_page *page)
{
    print_node_states(out, page);
    for (size_t c = 0; c < sizeof node_columns / sizeof *node_columns; c++) {
        const struct column *column = &node_columns[c];
        metrics_family(out, column->family.name, column->family.type, column->family.help);
        for (uint32_t i = 0; i < page->view.rows.nodes; i++) {
            const struct metrics_node *row = &page->view.nodes[i];
            char labels[LABELS_SIZE];
            (void)snprintf(labels, sizeof labels, "{node=\"%s\"}", row->node);
            metrics_value_line(out, column->family.name, labels, value_at(row, column->offset));
        }
    }
}

/* ---- VMs ---- */

#define VM(name, type, help, member)                                                           \
    {                                                                                          \
        {name, type, help}, offsetof(struct metrics_vm, member)                                \
    }

static const struct column vm_columns[] = {
    VM("domain_running", "gauge", "1 when the VM runs.", running),
    VM("domain_cpu_cap_ratio", "gauge", "CPU cap of the VM; 1 is one whole CPU.", cap),
    VM("domain_cpu_used_ratio", "gauge", "CPU that the VM uses; 1 is one whole CPU.", cpu_used),
    VM("domain_memory_bytes", "gauge", "Memory of the VM.", memory_bytes),
};

void metrics_print_vms(FILE *out, const struct metrics_view *view)
{
    for (size_t c = 0; c < sizeof vm_columns / sizeof *vm_columns; c++) {
        const struct column *column = &vm_columns[c];
        metrics_family(out, column->family.name, column->family.type, column->family.help);
        for (uint32_t i = 0; i < view->rows.vms; i++) {
            const struct metrics_vm *row = &view->vms[i];
            char labels[LABELS_SIZE];
            (void)snprintf(labels, sizeof labels, "{node=\"%s\",service=\"%s\",domain=\"%s\"}",
                           row->node, row->service, row->vm);
            metrics_value_line(out, column->family.name, labels, value_at(row, column->offset));
        }
    }
}
