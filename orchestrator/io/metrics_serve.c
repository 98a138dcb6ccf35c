// SPDX-License-Identifier: Apache-2.0
/* The loop's side of /metrics: fills a page when one is wanted. */
#include <errno.h>

#include "common/io/clock.h"
#include "common/io/log.h"
#include "orchestrator/io/loop_state.h"

static void copy_counters(const struct loop *loop, struct metrics_counters *out)
{
    const struct bus_socket *const sockets[METRICS_SOCKETS] = {
        [METRICS_CONTROL] = loop->control,
        [METRICS_TELEMETRY] = loop->telemetry,
        [METRICS_API] = loop->api,
        [METRICS_EVENTS] = loop->events,
    };
    *out = loop->counters;
    for (int i = 0; i < METRICS_SOCKETS; i++) {
        bus_counters(sockets[i], &out->bus[i]);
    }
    for (int kind = 0; kind < REFUSAL_COUNT; kind++) {
        out->refused[kind].kind = refusals_word((enum refusal_kind)kind);
        out->refused[kind].count = loop->refusals[kind].count;
    }
    out->refused_count = REFUSAL_COUNT;
    out->unsent = loop->unsent;
    out->epoch = loop->epoch;
    out->wall_ms = clock_wall_ms();
}

/* Without them arbiterd goes on: metrics tell of a service, they are none. Only a wrong setting
 * ends the start. */
int metrics_open(struct loop *loop, struct err *err)
{
    const char *listen = loop->settings.metrics;
    struct err why = {0};
    int rc = metrics_http_start(&loop->metrics, listen, &why);
    if (rc == -EINVAL) {
        return err_set(err, rc, "%s", why.text);
    }
    if (rc != 0) {
        log_line(LOG_LEVEL_ERROR, "no metrics are served: %s", why.text);
        return metrics_http_start(&loop->metrics, "off", err);
    }
    unsigned port = metrics_http_port(loop->metrics);
    if (port != 0) {
        log_line(LOG_LEVEL_INFO, "metrics=%s port=%u", listen, port);
    }
    return 0;
}

void metrics_serve(struct loop *loop)
{
    struct metrics_rows rows;
    if (!metrics_http_wanted(loop->metrics)) {
        return;
    }
    cluster_metrics_rows(loop->cluster, &rows);
    struct metrics_page *page = metrics_page_create(&rows);
    if (page != NULL) {
        cluster_metrics_view(loop->cluster, &rows, loop->now_ms, &page->view);
        copy_counters(loop, &page->counters);
    }
    metrics_http_give(loop->metrics, page);
}
