// SPDX-License-Identifier: Apache-2.0
#include "node-agent/core/request_window.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define EXACT_BUCKETS   128u
#define OCTAVE_BUCKETS  64u
#define OCTAVE_FIRST    7u /* 2^7 = EXACT_BUCKETS */
#define UNKNOWN         ((double)NAN)
#define RESPONSE_MS_MAX ((1u << 23) - 1)

static uint32_t bucket_of(uint32_t response_ms)
{
    if (response_ms < EXACT_BUCKETS) {
        return response_ms;
    }
    uint32_t octave = OCTAVE_FIRST;
    while ((response_ms >> octave) > 1) {
        octave++;
    }
    uint32_t within = (response_ms - (1u << octave)) >> (octave - 6u);
    return EXACT_BUCKETS + (octave - OCTAVE_FIRST) * OCTAVE_BUCKETS + within;
}

/* The middle of a bucket. */
static double bucket_value(uint32_t bucket)
{
    if (bucket < EXACT_BUCKETS) {
        return bucket;
    }
    uint32_t octave = OCTAVE_FIRST + (bucket - EXACT_BUCKETS) / OCTAVE_BUCKETS;
    uint32_t within = (bucket - EXACT_BUCKETS) % OCTAVE_BUCKETS;
    uint32_t width = 1u << (octave - 6u);
    return (double)((1u << octave) + within * width) + (double)(width - 1) / 2.0;
}

void request_window_start(struct request_window *window, uint32_t window_ms, int64_t now_ms)
{
    assert(window_ms >= REQUEST_SLICES);
    memset(window, 0, sizeof *window);
    window->slice_ms = window_ms / REQUEST_SLICES;
    window->since_ms = now_ms;
    for (int i = 0; i < REQUEST_SLICES; i++) {
        window->slices[i].number = -1;
    }
}

void request_window_add(struct request_window *window, const struct request_sample *sample,
                        int64_t now_ms)
{
    if (sample->outcome == REQUEST_IGNORED) {
        return;
    }
    int64_t number = now_ms / window->slice_ms;
    struct request_slice *slice = &window->slices[number % REQUEST_SLICES];
    if (slice->number != number) {
        memset(slice, 0, sizeof *slice);
        slice->number = number;
    }
    window->newest_ms = now_ms;
    slice->requests++;
    if (sample->outcome != REQUEST_ANSWERED) {
        slice->errors++;
    }
    if (sample->outcome != REQUEST_FAILED) {
        uint32_t response_ms =
            sample->response_ms < RESPONSE_MS_MAX ? sample->response_ms : RESPONSE_MS_MAX;
        slice->timed++;
        slice->response_ms_sum += sample->response_ms;
        slice->buckets[bucket_of(response_ms)]++;
    }
}

/* The smallest bucket that at least the share permille of all timed requests are not above. */
static double percentile(const uint32_t *buckets, uint64_t timed, uint64_t permille)
{
    uint64_t rank = (timed * permille + 999) / 1000;
    uint64_t below = 0;
    for (uint32_t i = 0; i < REQUEST_BUCKETS; i++) {
        below += buckets[i];
        if (below >= rank) {
            return bucket_value(i);
        }
    }
    return UNKNOWN;
}

void request_window_read(const struct request_window *window, int64_t now_ms,
                         struct request_statistics *out)
{
    *out = (struct request_statistics){.rate = UNKNOWN,
                                       .error_share = UNKNOWN,
                                       .mean_ms = UNKNOWN,
                                       .p50_ms = UNKNOWN,
                                       .p95_ms = UNKNOWN};
    const int64_t first = now_ms / window->slice_ms - REQUEST_SLICES + 1;
    uint32_t buckets[REQUEST_BUCKETS] = {0};
    uint64_t timed = 0;
    uint64_t errors = 0;
    uint64_t response_ms_sum = 0;
    for (int i = 0; i < REQUEST_SLICES; i++) {
        const struct request_slice *slice = &window->slices[i];
        if (slice->number < first) {
            continue;
        }
        out->requests += slice->requests;
        errors += slice->errors;
        timed += slice->timed;
        response_ms_sum += slice->response_ms_sum;
        for (uint32_t b = 0; b < REQUEST_BUCKETS; b++) {
            buckets[b] += slice->buckets[b];
        }
    }
    int64_t from_ms = first * window->slice_ms;
    const bool whole = window->since_ms <= from_ms;
    from_ms = whole ? from_ms : window->since_ms;
    const int64_t watched_ms = now_ms - from_ms;
    if (watched_ms > 0 && (whole || watched_ms >= 1000)) {
        out->rate = (double)out->requests * 1000.0 / (double)watched_ms;
    }
    if (out->requests > 0) {
        out->error_share = (double)errors / (double)out->requests;
        out->age_ms = (uint32_t)(now_ms - window->newest_ms);
    }
    if (timed > 0) {
        out->mean_ms = (double)response_ms_sum / (double)timed;
        out->p50_ms = percentile(buckets, timed, 500);
        out->p95_ms = percentile(buckets, timed, 950);
    }
}

/* First letter of the end state: who ended it; second: in which phase (HAProxy manual, 8.5). */
static enum request_outcome outcome_of(int status, char who, char phase)
{
    const bool error_status = status < 0 || status >= 500;
    switch (who) {
    case '-':
    case 'L': /* answered by HAProxy itself */
        return error_status ? REQUEST_FAILED : REQUEST_ANSWERED;
    case 'C': /* the client went away */
    case 'c': /* the client was too slow */
        if (phase == 'R' || phase == '-') {
            return REQUEST_IGNORED;
        }
        if (phase == 'Q' || phase == 'C' || phase == 'H') {
            return REQUEST_GAVE_UP;
        }
        return error_status ? REQUEST_FAILED : REQUEST_ANSWERED;
    case 'P': /* refused by HAProxy */
        if (phase == 'R' && !error_status) {
            return REQUEST_IGNORED;
        }
        return error_status ? REQUEST_FAILED : REQUEST_ANSWERED;
    case 's': /* the server was too slow */ return REQUEST_GAVE_UP;
    default: /* the server refused or broke off, a resource was short, a session was shut down
              */
        return REQUEST_FAILED;
    }
}

bool request_line_parse(const char *line, struct request_sample *out)
{
    long response_ms = 0;
    int status = 0;
    char ended[3] = "";
    /* NOLINTNEXTLINE(cert-err34-c): the widths bound both numbers */
    if (sscanf(line, "R %9ld %4d %2s ", &response_ms, &status, ended) != 3 ||
        ended[1] == '\0') {
        return false;
    }
    out->outcome = outcome_of(status, ended[0], ended[1]);
    out->response_ms = response_ms > 0 ? (uint32_t)response_ms : 0;
    return true;
}
