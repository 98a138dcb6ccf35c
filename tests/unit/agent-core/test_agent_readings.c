// SPDX-License-Identifier: Apache-2.0
/* What an agent measures and publishes of its VMs and its node. */
#include "tests/unit/agent-core/agent_world.h"

Test(agent_readings, publishes_cpu_and_tasks_of_its_vms)
{
    struct world *w = make_running_world();
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 20000);
    cr_assert_float_eq(w->metrics[METRIC_CPU_PCT], 50, 1);
    cr_assert_float_eq(w->metrics[METRIC_NODE_CPU_PCT], 50, 1);
    cr_assert_float_eq(w->metrics[METRIC_NODE_MEMORY_FREE_KIB], 1.5 * GIB, 1);
    cr_assert_float_eq(w->metrics[METRIC_TASKS_DONE], 9, 1);
    end_world(w);
}

Test(agent_readings, cpu_use_is_a_mean_over_five_seconds)
{
    struct world *w = make_running_world();
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 20000);
    struct node_message message = make_order(2, "a", RUN_STATE_RUNNING);
    message.vm_order.cap_pct = 20;
    send_message(w, &message);
    run_until(w, 22500);
    cr_assert_gt(w->metrics[METRIC_CPU_PCT], 25, "%f", w->metrics[METRIC_CPU_PCT]);
    cr_assert_lt(w->metrics[METRIC_CPU_PCT], 45, "%f", w->metrics[METRIC_CPU_PCT]);
    run_until(w, 27500);
    cr_assert_float_eq(w->metrics[METRIC_CPU_PCT], 20, 1, "%f", w->metrics[METRIC_CPU_PCT]);
    end_world(w);
}

Test(agent_readings, cpu_use_of_a_new_start_has_nothing_of_the_one_before)
{
    struct world *w = make_running_world();
    order(w, 1, "a", RUN_STATE_RUNNING);
    run_until(w, 20000);
    order(w, 2, "a", RUN_STATE_STOPPED);
    run_until(w, 30000);
    struct node_message message = make_order(3, "a", RUN_STATE_RUNNING);
    message.vm_order.generation = 2;
    message.vm_order.cap_pct = 20;
    send_message(w, &message);
    run_until(w, 33500);
    cr_assert(runs(w, "uuid-a"));
    /* It boots without CPU use, and then has its cap; before, it had 50. */
    cr_assert_gt(w->metrics[METRIC_CPU_PCT], 10, "%f", w->metrics[METRIC_CPU_PCT]);
    cr_assert_lt(w->metrics[METRIC_CPU_PCT], 20.5, "%f", w->metrics[METRIC_CPU_PCT]);
    end_world(w);
}
