// SPDX-License-Identifier: Apache-2.0
/* Inside of metrics_text.c and metrics_text_rows.c. */
#ifndef ORCHESTRATOR_IO_METRICS_TEXT_PARTS_H
#define ORCHESTRATOR_IO_METRICS_TEXT_PARTS_H

#include "orchestrator/io/metrics_text.h"

/* Without the prefix. */
struct metrics_family_name {
    const char *name;
    const char *type;
    const char *help;
};

void metrics_family(FILE *out, const char *name, const char *type, const char *help);
/* labels: "" or "{...}". Nothing for NAN. */
void metrics_value_line(FILE *out, const char *name, const char *labels, double value);
/* A family with one value. */
void metrics_one(FILE *out, const struct metrics_family_name *family, double value);

/* ---- metrics_text_rows.c ---- */
void metrics_print_services(FILE *out, const struct metrics_view *view);
void metrics_print_nodes(FILE *out, const struct metrics_page *page);
void metrics_print_vms(FILE *out, const struct metrics_view *view);

#endif
