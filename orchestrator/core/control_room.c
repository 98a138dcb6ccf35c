// SPDX-License-Identifier: Apache-2.0
/*
 * What the nodes can spare beside the floors of all services, by the newest answer, for
 * whoever looks for a place for a VM: a minimum cap that fits says little about how well a
 * service will do there.
 */
#include <math.h>
#include <string.h>

#include "common/service_level.h"
#include "orchestrator/core/control.h"
#include "orchestrator/core/plan_scratch.h"
#include "schedulers/model.h"

#define FLOOR_PCT_MAX 1e6 /* 10,000 CPUs */

void control_note_room(struct cluster *cluster, const struct allocation_answer *answer)
{
    struct control *control = cluster->control;
    escalation_slack(&control->problem, answer, control->slack);
    for (uint32_t slot = 0; slot < cluster->nodes.capacity; slot++) {
        const uint32_t index = control->node_index[slot];
        control->node_slack[slot] = index == 0 ? (double)NAN : control->slack[index - 1];
    }
}

double control_room_of(const struct cluster *cluster, const struct node_record *node)
{
    const double slack = cluster->control->node_slack[table_slot(&cluster->nodes, node)];
    /* No VM of the problem is there: all that is not reserved otherwise is to spare. */
    return isnan(slack) ? (double)plan_node_cpu_pct(node) - node->cpu_pct_reserved : slack;
}

uint32_t control_floor_of(const struct cluster *cluster, const struct vm_record *vm)
{
    struct service_record *service = cluster_service_of(cluster, vm);
    const struct control_service *state =
        &cluster->control->services[table_slot(&cluster->services, service)];
    if (!state->proposed || strcmp(state->service, service->spec.service) != 0) {
        return 0;
    }
    const double x = service_level_inverse(&service->spec.objective.curve, SERVICE_LEVEL_FLOOR);
    const double need = model_need(&state->proposal, x);
    double sum = 0.0;
    const struct vm_record *other = NULL;
    for (uint32_t at = 0; (other = cluster_next_vm_of(cluster, service, &at)) != NULL;) {
        const bool counts = other == vm || control_has_cap(cluster, other);
        sum += counts ? (double)other->vm.cap_pct : 0.0;
    }
    if (!isfinite(need) || sum <= 0.0) {
        return 0;
    }
    const double floor = ceil(need * vm->vm.cap_pct / sum);
    const double least = cluster_min_cap_of(cluster, vm);
    return (uint32_t)fmin(fmax(floor, least), FLOOR_PCT_MAX);
}

void control_take_room(struct cluster *cluster, const struct node_record *node,
                       const struct vm_record *vm)
{
    /* NAN stays: what is reserved there is counted anyhow. */
    cluster->control->node_slack[table_slot(&cluster->nodes, node)] -=
        control_floor_of(cluster, vm);
}
