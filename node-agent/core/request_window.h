// SPDX-License-Identifier: Apache-2.0
/*
 * What users of one entry point saw in the last window_ms: request rate, error share, mean and
 * percentiles of the response time, from one log line per request.
 *
 * Memory is fixed: a histogram in each of REQUEST_SLICES time slices. Buckets are 1 ms wide
 * below 128 ms and then 64 to an octave, so a percentile is off by at most 1/128 (0.8 %); the
 * mean is exact. The window moves by slices: the statistics cover between 90 % and 100 % of
 * window_ms.
 */
#ifndef NODE_AGENT_CORE_REQUEST_WINDOW_H
#define NODE_AGENT_CORE_REQUEST_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define REQUEST_SLICES 10
#define REQUEST_BUCKETS                                                                        \
    1152 /* 128 exact ones, then 16 octaves up to 2^23 ms (2.3 h) of 64 each */

enum request_outcome {
    REQUEST_IGNORED = 0,  /* the client sent no whole request; says nothing about the service */
    REQUEST_ANSWERED = 1, /* its time counts */
    REQUEST_FAILED =
        2, /* answered with an error: an error; a quick refusal makes no p95 better */
    REQUEST_GAVE_UP = 3, /* ended by a time-out or by its user's patience: an error, and its
                            time counts, for that long somebody waited */
};

struct request_sample {
    enum request_outcome outcome;
    uint32_t response_ms;
};

struct request_slice {
    int64_t number; /* time / slice_ms */
    uint32_t requests;
    uint32_t errors;
    uint32_t timed; /* whose time counts */
    uint64_t response_ms_sum;
    uint32_t buckets[REQUEST_BUCKETS];
};

struct request_window {
    int64_t slice_ms;
    int64_t since_ms;  /* nothing is known about what was before */
    int64_t newest_ms; /* of the newest request that counts; valid when there is one in the
                          window */
    struct request_slice slices[REQUEST_SLICES];
};

struct request_statistics {
    double rate; /* requests per second; NAN in the first second, then 0 is a measurement */
    uint64_t requests;
    double error_share; /* NAN without requests */
    double mean_ms;     /* NAN when no request has a time, also below */
    double p50_ms;
    double p95_ms;
    uint32_t age_ms; /* of the newest request; 0 without requests */
};

/* Forgets everything. window_ms must be at least REQUEST_SLICES. */
void request_window_start(struct request_window *window, uint32_t window_ms, int64_t now_ms);

void request_window_add(struct request_window *window, const struct request_sample *sample,
                        int64_t now_ms);

void request_window_read(const struct request_window *window, int64_t now_ms,
                         struct request_statistics *out);

/*
 * One line of HAProxy with the log-format "R %Ta %ST %ts %s": milliseconds, status, how the
 * session ended, server. False: it is no such line.
 */
bool request_line_parse(const char *line, struct request_sample *out);

#endif
