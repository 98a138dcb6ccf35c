// SPDX-License-Identifier: Apache-2.0
/* Events, decisions, metrics, plans and the cluster. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "orchestrator/client/columns.h"

const char *column_mode_word(enum mode mode)
{
    static const char *const words[] = {"-", "advise", "act", "hold"};
    return words[(unsigned)mode < 4u ? mode : 0];
}

const char *column_outcome_word(enum decision_outcome outcome)
{
    static const char *const words[] = {"-", "advised only", "ordered", "applied", "failed"};
    return words[(unsigned)outcome < 5u ? outcome : 0];
}

static void put_level(char out[CELL_SIZE], double value, int digits)
{
    if (isnan(value)) {
        PUT("-");
    } else {
        PUT("%.*g", digits, value);
    }
}

COLUMN(event_id)
{
    PUT("%llu", (unsigned long long)item->event.id);
}
COLUMN(event_time)
{
    column_put_time(out, item->event.wall_ms);
}
COLUMN(event_kind_cell)
{
    PUT("%s", event_kind_word(item->event.kind));
}
COLUMN(event_reason)
{
    PUT("%s", reason_word(item->event.reason));
}
STRING_COLUMN(event_text, event.text)
STRING_COLUMN(event_service, event.service)
STRING_COLUMN(event_vm, event.vm)
STRING_COLUMN(event_node, event.node)
static const struct column event_columns[] = {
    {"ID", COLUMN_ALWAYS, 0, false, event_id},
    {"TIME", COLUMN_ALWAYS, 1, false, event_time},
    {"EVENT", COLUMN_ALWAYS, 0, false, event_kind_cell},
    {"REASON", COLUMN_WIDE, 0, false, event_reason},
    {"SERVICE", COLUMN_WIDE, 0, false, event_service},
    {"VM", COLUMN_WIDE, 0, false, event_vm},
    {"NODE", COLUMN_WIDE, 0, false, event_node},
    {"TEXT", COLUMN_ALWAYS, 0, true, event_text},
    {0}};

COLUMN(decision_id)
{
    PUT("d-%llu", (unsigned long long)item->decision.id);
}
COLUMN(decision_time)
{
    column_put_time(out, item->decision.wall_ms);
}
COLUMN(decision_outcome)
{
    PUT("%s", column_outcome_word(item->decision.outcome));
}
COLUMN(decision_reason)
{
    PUT("%s", reason_word(item->decision.reason));
}
COLUMN(decision_took)
{
    PUT("%.1f ms", item->decision.took_us / 1000.0);
}
COLUMN(decision_by)
{
    PUT("%s", item->decision.principal[0] != '\0' ? item->decision.principal
                                                  : item->decision.scheduler);
}
STRING_COLUMN(decision_service, decision.service)
STRING_COLUMN(decision_text, decision.text)
static const struct column decision_columns[] = {
    {"DECISION", COLUMN_ALWAYS, 0, false, decision_id},
    {"TIME", COLUMN_ALWAYS, 2, false, decision_time},
    {"SERVICE", COLUMN_WIDE, 0, false, decision_service},
    {"OUTCOME", COLUMN_ALWAYS, 1, false, decision_outcome},
    {"REASON", COLUMN_WIDE, 0, false, decision_reason},
    {"BY", COLUMN_WIDE, 0, false, decision_by},
    {"TOOK", COLUMN_WIDE, 0, false, decision_took},
    {"TEXT", COLUMN_ALWAYS, 0, true, decision_text},
    {0}};

STRING_COLUMN(metric_node, metric.node)
STRING_COLUMN(metric_name, metric.metric.name)
COLUMN(metric_kind_cell)
{
    PUT("%s", metric_kind_word(item->metric.metric.kind));
}
COLUMN(metric_value_cell)
{
    PUT("%.10g", item->metric.metric.value);
}
COLUMN(metric_age)
{
    column_put_age(out, item->metric.metric.age_ms);
}
static const struct column metric_columns[] = {
    {"NAME", COLUMN_ALWAYS, 0, false, metric_name},
    {"METRIC", COLUMN_ALWAYS, 0, false, metric_kind_cell},
    {"VALUE", COLUMN_ALWAYS, 0, false, metric_value_cell},
    {"AGE", COLUMN_ALWAYS, 1, false, metric_age},
    {"NODE", COLUMN_ALWAYS, 1, false, metric_node},
    {0}};

STRING_COLUMN(placement_vm, placement.vm)
STRING_COLUMN(placement_node, placement.node)
COLUMN(placement_action)
{
    const struct placement *row = &item->placement;
    PUT("%s", row->remove          ? "remove"
              : row->change        ? "change"
              : row->vm[0] != '\0' ? "create"
                                   : "");
}
COLUMN(placement_cores)
{
    column_put_cpu(out, item->placement.cap_pct);
}
COLUMN(placement_memory)
{
    column_put_size(out, item->placement.memory_kib);
}
COLUMN(placement_why)
{
    const struct placement *row = &item->placement;
    if (row->reason != REASON_NONE && row->reason != REASON_UNSPECIFIED) {
        PUT("%s: needs %llu, has %llu", reason_word(row->reason),
            (unsigned long long)row->needed, (unsigned long long)row->available);
    }
}
static const struct column placement_columns[] = {
    {"VM", COLUMN_ALWAYS, 0, false, placement_vm},
    {"ACTION", COLUMN_ALWAYS, 0, false, placement_action},
    {"NODE", COLUMN_ALWAYS, 0, false, placement_node},
    {"CORES", COLUMN_ALWAYS, 0, false, placement_cores},
    {"MEMORY", COLUMN_ALWAYS, 1, false, placement_memory},
    {"WHY-NOT", COLUMN_ALWAYS, 0, true, placement_why},
    {0}};

COLUMN(cluster_mode)
{
    PUT("%s", column_mode_word(item->cluster_status.mode));
}
COLUMN(cluster_nodes)
{
    PUT("%u/%u", item->cluster_status.nodes_up, item->cluster_status.nodes);
}
COLUMN(cluster_services)
{
    PUT("%u/%u", item->cluster_status.services_met, item->cluster_status.services);
}
COLUMN(cluster_mean)
{
    put_level(out, item->cluster_status.mean_level, 2);
}
COLUMN(cluster_sigma)
{
    put_level(out, item->cluster_status.sigma, 4);
}
COLUMN(cluster_epoch)
{
    PUT("%llu", (unsigned long long)item->cluster_status.epoch);
}
COLUMN(cluster_revision)
{
    PUT("%llu", (unsigned long long)item->cluster_status.revision);
}
static const struct column cluster_columns[] = {
    {"MODE", COLUMN_ALWAYS, 0, false, cluster_mode},
    {"NODES-UP", COLUMN_ALWAYS, 0, false, cluster_nodes},
    {"MET", COLUMN_ALWAYS, 0, false, cluster_services},
    {"MEAN-LEVEL", COLUMN_ALWAYS, 0, false, cluster_mean},
    {"SIGMA", COLUMN_ALWAYS, 0, false, cluster_sigma},
    {"EPOCH", COLUMN_ALWAYS, 0, false, cluster_epoch},
    {"REVISION", COLUMN_ALWAYS, 0, false, cluster_revision},
    {0}};

const struct column *columns_of_record(enum item_kind kind)
{
    static const struct column none[] = {{0}};
    switch (kind) {
    case ITEM_KIND_CLUSTER_STATUS: return cluster_columns;
    case ITEM_KIND_EVENT: return event_columns;
    case ITEM_KIND_DECISION: return decision_columns;
    case ITEM_KIND_METRIC: return metric_columns;
    case ITEM_KIND_PLACEMENT: return placement_columns;
    case ITEM_KIND_OBJECT:
    case ITEM_KIND_VM_STATUS:
    case ITEM_KIND_SERVICE_STATUS:
    case ITEM_KIND_NODE_VIEW:
    case ITEM_KIND_UNSPECIFIED: break;
    }
    return none;
}
