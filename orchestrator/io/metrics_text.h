// SPDX-License-Identifier: Apache-2.0
/* Metrics as Prometheus reads them: text format 0.0.4. Pure. */
#ifndef ORCHESTRATOR_IO_METRICS_TEXT_H
#define ORCHESTRATOR_IO_METRICS_TEXT_H

#include <stdio.h>

#include "orchestrator/core/metrics_view.h"
#include "orchestrator/io/metrics_counters.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* All that one page shows. */
struct metrics_page {
    struct metrics_view view;
    struct metrics_counters counters;
};

void metrics_text_print(FILE *out, const struct metrics_page *page);

#endif
