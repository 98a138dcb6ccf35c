// SPDX-License-Identifier: Apache-2.0
/* What the users of an entry point saw, once a second. */
#include <math.h>
#include <string.h>

#include "node-agent/io/gateway_entry.h"

static void put_metric(struct metrics *out, const struct gateway_entry *entry,
                       enum metric_kind kind, double value, uint32_t age_ms)
{
    if (isnan(value)) {
        return; /* unknown is not zero */
    }
    struct metric *metric = &out->metrics[out->metrics_count++];
    metric->subject = METRIC_SUBJECT_ENTRY;
    memcpy(metric->name, entry->status.service, sizeof metric->name);
    metric->kind = kind;
    metric->value = value;
    metric->age_ms = age_ms;
}

bool entry_metrics(struct gateway_entry *entry, int64_t now_ms, struct metrics *out)
{
    if (now_ms < entry->publish_ms) {
        return false;
    }
    entry->publish_ms = now_ms + ENTRY_PUBLISH_MS;
    if (entry->frame_runs[0] == '\0' || entry->order.remove) {
        return false;
    }
    struct request_statistics statistics;
    request_window_read(&entry->window, now_ms, &statistics);
    const uint32_t age_ms = statistics.age_ms;
    memset(out, 0, sizeof *out);
    put_metric(out, entry, METRIC_REQUEST_RATE, statistics.rate, 0);
    put_metric(out, entry, METRIC_ERROR_SHARE, statistics.error_share, age_ms);
    put_metric(out, entry, METRIC_RESPONSE_MEAN_MS, statistics.mean_ms, age_ms);
    put_metric(out, entry, METRIC_RESPONSE_P50_MS, statistics.p50_ms, age_ms);
    put_metric(out, entry, METRIC_RESPONSE_P95_MS, statistics.p95_ms, age_ms);
    return out->metrics_count > 0;
}
