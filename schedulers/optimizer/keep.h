// SPDX-License-Identifier: Apache-2.0
/*
 * Hysteresis, service by service: where not all old caps can stay, most of them still can, so
 * that one service that needs more moves as few others as possible. For component.c.
 */
#ifndef SCHEDULERS_OPTIMIZER_KEEP_H
#define SCHEDULERS_OPTIMIZER_KEEP_H

#include "schedulers/optimizer/optimizer.h"

/*
 * With the new caps in place: gives a service its old caps back where that costs less than the
 * dead band, where its floor holds with a tenth of the guard, where it gets no more than it
 * asked for, and where the nodes have room: first those that had less, then those that had
 * more, the smallest steps first. -ENOMEM: nothing is changed.
 */
int keep_each(struct optimizer *optimizer, const struct component *component);

#endif
