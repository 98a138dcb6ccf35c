// SPDX-License-Identifier: Apache-2.0
/* The schedulers that come with Arbiter; registry.c lists them. */
#ifndef SCHEDULERS_BUILTIN_H
#define SCHEDULERS_BUILTIN_H

#include "schedulers/scheduler.h"

extern const struct scheduler scheduler_response_time; /* response_time.c */
extern const struct scheduler scheduler_deadline;      /* deadline.c */
extern const struct scheduler scheduler_gang;          /* gang.c */
extern const struct scheduler scheduler_search;        /* search.c */
extern const struct scheduler scheduler_fixed;         /* fixed.c */
/* Baselines */
extern const struct scheduler scheduler_threshold; /* threshold.c */
extern const struct scheduler scheduler_vpa;       /* vpa.c */
extern const struct scheduler scheduler_pid;       /* pid.c */

#endif
