// SPDX-License-Identifier: Apache-2.0
/*
 * The optimizer against general solvers of Debian, node by node on the same instances,
 * objective product: GLPK's branch and cut on our table of levels, Ipopt with exact derivatives
 * and NLopt's SLSQP, both from the proportional start. Library calls in one thread, CPU time,
 * least of three runs for what is fast. "optimal" is within 0.01 nats of the best that anyone
 * found. Ipopt and NLopt take real amounts, arbiter whole percents: what that costs, about 1e-3
 * nats, is the gap of its row. "x ours" is against the row of arbiter with the same choice.
 *
 *   bench_peers [NODES-PER-LOAD]      default 40
 */
#include <coin/IpStdCInterface.h>
#include <coin/IpoptConfig.h>
#include <glpk.h>
#include <math.h>
#include <nlopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/service_level.h"
#include "schedulers/model.h"
#include "tests/bench/instances.h"

#define SERVICES   10
#define LEVELS     64
#define RUNS       3
#define NEAR_NATS  0.01
#define GLPK_MS    20000
#define OPTIONS(x) ((char *)(uintptr_t)(x)) /* Ipopt takes its options as char * */

enum method { OURS, OURS_LEVELS, GLPK, IPOPT, SLSQP, METHODS };
static const char *const names[METHODS] = {"arbiter, every percent", "arbiter, 64 levels",
                                           "GLPK, 64 levels", "Ipopt, exact derivatives",
                                           "NLopt SLSQP"};

/* One node of an instance. */
struct node {
    struct instance *instance;
    struct allocation_level levels[SERVICES][LEVELS];
    double start[SERVICES];
    double low[SERVICES]; /* the floor, or the minimum */
};

/* ---- the function that all maximize ---- */

struct slope {
    double value;
    double first;
    double second;
};

/* x and its derivatives by r. */
static struct slope model_slope(const struct proposal *model, double r)
{
    const bool ps = model->model == MODEL_KIND_PS;
    if (model->model != MODEL_KIND_TABLE) {
        const double a = ps ? model->a_pct : model->demand_pct;
        const double left = ps ? r - model->b_pct : r;
        return left > 0.0 ? (struct slope){a / left, -a / (left * left),
                                           2.0 * a / (left * left * left)}
                          : (struct slope){HUGE_VAL, 0.0, 0.0};
    }
    const struct curve_point *points = model->points;
    for (uint32_t i = 1; i < model->points_count; i++) {
        if (r >= points[i - 1].cap_pct && r < points[i].cap_pct) {
            const double m = (1.0 / points[i].x - 1.0 / points[i - 1].x) /
                             (double)(points[i].cap_pct - points[i - 1].cap_pct);
            const double y = 1.0 / points[i - 1].x + m * (r - points[i - 1].cap_pct);
            return (struct slope){1.0 / y, -m / (y * y), 2.0 * m * m / (y * y * y)};
        }
    }
    return (struct slope){model_predict(model, r), 0.0, 0.0};
}

/* w log S and its derivatives by r. */
static struct slope value_slope(const struct allocation_service *service, double r)
{
    const struct level_curve *curve = &service->curve;
    const struct slope x = model_slope(service->model, r);
    const double value = service->weight * service_level_log(curve, x.value);
    if (!(x.value < SERVICE_LEVEL_X_MAX * curve->b)) {
        return (struct slope){value, 0.0, 0.0};
    }
    const double u = curve->a * (curve->b - x.value);
    const double s = sqrt(1.0 + u * u);
    const double by_u = u > 0.0 ? 1.0 / (s * s * (s + u)) : (s - u) / (s * s);
    const double by_uu = -u / (s * s * s) - 1.0 / (s * s) + 2.0 * u * u / (s * s * s * s);
    const double u1 = -curve->a * x.first;
    const double u2 = -curve->a * x.second;
    return (struct slope){value, service->weight * by_u * u1,
                          service->weight * (by_uu * u1 * u1 + by_u * u2)};
}

static double value_of(const struct node *node, const double *r)
{
    double sum = 0.0;
    for (int i = 0; i < SERVICES; i++) {
        sum += value_slope(&node->instance->services[i], r[i]).value;
    }
    return sum;
}

/* ---- arbiter ---- */

static double solve_ours(struct node *node, bool levels)
{
    struct instance *instance = node->instance;
    struct err err = {0};
    for (int i = 0; i < SERVICES; i++) {
        instance->vms[i].levels = levels ? node->levels[i] : NULL;
        instance->vms[i].levels_count = levels ? LEVELS : 0;
    }
    if (allocation_solve(&instance->problem, &instance->answer, &err) != 0) {
        (void)fprintf(stderr, "allocation_solve: %s\n", err.text);
        exit(1);
    }
    double r[SERVICES];
    bool known = true; /* the cap is one of the levels */
    for (int i = 0; i < SERVICES; i++) {
        bool found = !levels;
        for (int k = 0; k < LEVELS && !found; k++) {
            found = node->levels[i][k].cap_pct == instance->answer.caps_pct[i];
        }
        known = known && found;
        r[i] = instance->answer.caps_pct[i];
    }
    return known ? value_of(node, r) : -HUGE_VAL;
}

/* ---- GLPK: one binary for each level ---- */

static double solve_glpk(struct node *node)
{
    glp_prob *problem = glp_create_prob();
    glp_iocp options;
    int rows[3] = {0};
    double parts[3] = {0};
    glp_set_obj_dir(problem, GLP_MAX);
    glp_add_rows(problem, SERVICES + 1);
    glp_add_cols(problem, SERVICES * LEVELS);
    glp_set_row_bnds(problem, SERVICES + 1, GLP_UP, 0.0, INSTANCE_NODE_CPU_PCT);
    for (int i = 0; i < SERVICES; i++) {
        glp_set_row_bnds(problem, i + 1, GLP_FX, 1.0, 1.0);
        for (int k = 0; k < LEVELS; k++) {
            const int column = i * LEVELS + k + 1;
            const double cap = node->levels[i][k].cap_pct;
            if (cap < node->low[i]) {
                glp_set_col_bnds(problem, column, GLP_FX, 0.0, 0.0);
                continue;
            }
            glp_set_col_kind(problem, column, GLP_BV);
            glp_set_obj_coef(problem, column,
                             value_slope(&node->instance->services[i], cap).value);
            rows[1] = i + 1;
            parts[1] = 1.0;
            rows[2] = SERVICES + 1;
            parts[2] = cap;
            glp_set_mat_col(problem, column, 2, rows, parts);
        }
    }
    glp_init_iocp(&options);
    options.presolve = GLP_ON;
    options.msg_lev = GLP_MSG_OFF;
    options.tm_lim = GLPK_MS;
    const int rc = glp_intopt(problem, &options);
    const double value = rc == 0 || rc == GLP_ETMLIM ? glp_mip_obj_val(problem) : -HUGE_VAL;
    glp_delete_prob(problem);
    return value;
}

/* ---- Ipopt ---- */

static Bool ipopt_value(Index n, Number *r, Bool new_r, Number *out, UserDataPtr data)
{
    (void)n;
    (void)new_r;
    *out = -value_of(data, r);
    return TRUE;
}

static Bool ipopt_gradient(Index n, Number *r, Bool new_r, Number *out, UserDataPtr data)
{
    const struct node *node = data;
    (void)new_r;
    for (Index i = 0; i < n; i++) {
        out[i] = -value_slope(&node->instance->services[i], r[i]).first;
    }
    return TRUE;
}

static Bool ipopt_sum(Index n, Number *r, Bool new_r, Index m, Number *out, UserDataPtr data)
{
    (void)new_r;
    (void)m;
    (void)data;
    *out = 0.0;
    for (Index i = 0; i < n; i++) {
        *out += r[i];
    }
    return TRUE;
}

// NOLINTNEXTLINE(readability-function-size): the signature is that of the library
static Bool ipopt_jacobian(Index n, Number *r, Bool new_r, Index m, Index count, Index *row,
                           Index *column, Number *values, UserDataPtr data)
{
    (void)r;
    (void)new_r;
    (void)m;
    (void)count;
    (void)data;
    for (Index i = 0; i < n; i++) {
        if (values != NULL) {
            values[i] = 1.0;
        } else {
            row[i] = 0;
            column[i] = i;
        }
    }
    return TRUE;
}

// NOLINTNEXTLINE(readability-function-size): the signature is that of the library
static Bool ipopt_hessian(Index n, Number *r, Bool new_r, Number factor, Index m,
                          Number *lambda, Bool new_lambda, Index count, Index *row,
                          Index *column, Number *values, UserDataPtr data)
{
    const struct node *node = data;
    (void)new_r;
    (void)m;
    (void)lambda;
    (void)new_lambda;
    (void)count;
    for (Index i = 0; i < n; i++) {
        if (values != NULL) {
            values[i] = -factor * value_slope(&node->instance->services[i], r[i]).second;
        } else {
            row[i] = i;
            column[i] = i;
        }
    }
    return TRUE;
}

static double solve_ipopt(struct node *node)
{
    Number low[SERVICES];
    Number high[SERVICES];
    Number r[SERVICES];
    Number sum_low = 0.0;
    Number sum_high = INSTANCE_NODE_CPU_PCT;
    Number value = 0.0;
    for (int i = 0; i < SERVICES; i++) {
        low[i] = node->low[i];
        high[i] = INSTANCE_NODE_CPU_PCT;
        r[i] = node->start[i];
    }
    IpoptProblem problem = CreateIpoptProblem(SERVICES, low, high, 1, &sum_low, &sum_high,
                                              SERVICES, SERVICES, 0, ipopt_value, ipopt_sum,
                                              ipopt_gradient, ipopt_jacobian, ipopt_hessian);
    (void)AddIpoptIntOption(problem, OPTIONS("print_level"), 0);
    (void)AddIpoptStrOption(problem, OPTIONS("sb"), OPTIONS("yes"));
    (void)IpoptSolve(problem, r, NULL, &value, NULL, NULL, NULL, node);
    FreeIpoptProblem(problem);
    Number sum = 0.0;
    (void)ipopt_sum(SERVICES, r, TRUE, 1, &sum, NULL);
    return sum <= sum_high * (1.0 + 1e-6) ? value_of(node, r) : -HUGE_VAL;
}

/* ---- NLopt ---- */

static double nlopt_value(unsigned n, const double *r, double *gradient, void *data)
{
    const struct node *node = data;
    for (unsigned i = 0; gradient != NULL && i < n; i++) {
        gradient[i] = value_slope(&node->instance->services[i], r[i]).first;
    }
    return value_of(node, r);
}

static double nlopt_over(unsigned n, const double *r, double *gradient, void *data)
{
    double over = -(double)INSTANCE_NODE_CPU_PCT;
    (void)data;
    for (unsigned i = 0; i < n; i++) {
        over += r[i];
        if (gradient != NULL) {
            gradient[i] = 1.0;
        }
    }
    return over;
}

static double solve_slsqp(struct node *node)
{
    double r[SERVICES];
    double value = 0.0;
    memcpy(r, node->start, sizeof r);
    nlopt_opt solver = nlopt_create(NLOPT_LD_SLSQP, SERVICES);
    (void)nlopt_set_max_objective(solver, nlopt_value, node);
    (void)nlopt_add_inequality_constraint(solver, nlopt_over, NULL, 1e-6);
    (void)nlopt_set_lower_bounds(solver, node->low);
    (void)nlopt_set_upper_bounds1(solver, INSTANCE_NODE_CPU_PCT);
    (void)nlopt_set_ftol_rel(solver, 1e-8);
    (void)nlopt_set_xtol_rel(solver, 1e-6);
    (void)nlopt_set_maxeval(solver, 2000);
    (void)nlopt_optimize(solver, r, &value);
    nlopt_destroy(solver);
    return nlopt_over(SERVICES, r, NULL, NULL) <= 1e-3 ? value_of(node, r) : -HUGE_VAL;
}

/* ---- the table ---- */

/* Caps from the least to the whole node, dense around the need. */
static void fill_levels(struct node *node, int service)
{
    const double need = node->instance->need_pct[service];
    uint32_t last = INSTANCE_MIN_CAP_PCT - 1;
    for (int k = 0; k < LEVELS; k++) {
        double cap = 0.0;
        if (k < 12) {
            cap = INSTANCE_MIN_CAP_PCT * pow(0.8 * need / INSTANCE_MIN_CAP_PCT, k / 12.0);
        } else if (k < 44) {
            cap = need * (0.8 + 0.7 * (k - 12) / 32.0);
        } else {
            cap = 1.5 * need *
                  pow(INSTANCE_NODE_CPU_PCT / (1.5 * need), (k - 43) / (LEVELS - 44.0));
        }
        uint32_t cap_pct = (uint32_t)ceil(cap - 1e-6);
        cap_pct = cap_pct > last ? cap_pct : last + 1;
        last = cap_pct;
        node->levels[service][k] =
            (struct allocation_level){.cap_pct = cap_pct, .vcpus = (cap_pct + 99) / 100};
    }
}

static bool prepare(struct node *node, double load, uint64_t seed,
                    enum allocation_objective objective)
{
    const struct instance_spec spec = {
        .seed = seed, .nodes = 1, .services = SERVICES, .load = load, .objective = objective};
    node->instance = instance_create(&spec);
    if (node->instance == NULL) {
        return false;
    }
    double sum = 0.0;
    for (int i = 0; i < SERVICES; i++) {
        sum += node->instance->need_pct[i];
    }
    for (int i = 0; i < SERVICES; i++) {
        node->start[i] = INSTANCE_NODE_CPU_PCT * node->instance->need_pct[i] / sum;
        /* a table is rounded to whole percents: its floor is not just at need_pct */
        const struct allocation_service *service = &node->instance->services[i];
        const double need = model_need(service->model, service->curve.b);
        node->low[i] =
            objective == ALLOCATION_FLOORS ? ceil(need - 1e-9) : INSTANCE_MIN_CAP_PCT;
        node->start[i] = fmax(node->start[i], node->low[i]);
        fill_levels(node, i);
    }
    return true;
}

static double run(struct node *node, enum method method)
{
    switch (method) {
    case OURS: return solve_ours(node, false);
    case OURS_LEVELS: return solve_ours(node, true);
    case GLPK: return solve_glpk(node);
    case IPOPT: return solve_ipopt(node);
    case SLSQP: return solve_slsqp(node);
    case METHODS: break;
    }
    return -HUGE_VAL;
}

struct row {
    double ms;
    double gap; /* sum of nats below the best */
    double gap_most;
    int optimal;
};

static void measure(struct node *node, struct row rows[METHODS])
{
    double values[METHODS];
    double best[2] = {-HUGE_VAL, -HUGE_VAL}; /* of every percent, of levels */
    for (int m = 0; m < METHODS; m++) {
        double least = HUGE_VAL;
        for (int i = 0; i < (m == GLPK || m == IPOPT ? 1 : RUNS); i++) {
            const double begin = instance_cpu_ms();
            values[m] = run(node, (enum method)m);
            least = fmin(least, instance_cpu_ms() - begin);
        }
        rows[m].ms += least;
        double *own = &best[m == OURS_LEVELS || m == GLPK ? 1 : 0];
        *own = fmax(*own, values[m]);
    }
    for (int m = 0; m < METHODS; m++) {
        const double gap = best[m == OURS_LEVELS || m == GLPK ? 1 : 0] - values[m];
        rows[m].gap += gap;
        rows[m].gap_most = fmax(rows[m].gap_most, gap);
        rows[m].optimal += gap <= NEAR_NATS ? 1 : 0;
    }
}

static bool bench_load(double load, int nodes, enum allocation_objective objective)
{
    struct row rows[METHODS] = {0};
    for (int i = 0; i < nodes; i++) {
        static struct node node;
        if (!prepare(&node, load, 1000 + (uint64_t)i, objective)) {
            return false;
        }
        measure(&node, rows);
        instance_destroy(node.instance);
    }
    for (int m = 0; m < METHODS; m++) {
        const double ours = rows[m == GLPK ? OURS_LEVELS : OURS].ms;
        (void)printf("%4.2f  %-7s %-25s %9.4f %9.1f  %6.1f %%  %9.2g %9.2g\n", load,
                     objective == ALLOCATION_FLOORS ? "floors" : "product", names[m],
                     rows[m].ms / nodes, rows[m].ms / ours, 100.0 * rows[m].optimal / nodes,
                     rows[m].gap / nodes, rows[m].gap_most);
        (void)fflush(stdout);
    }
    return true;
}

int main(int argc, char **argv)
{
    static const double loads[] = {0.7, 0.95, 1.1, 1.3};
    const long nodes = argc > 1 ? strtol(argv[1], NULL, 10) : 40;
    int version[3] = {0};
    if (nodes < 1 || nodes > 100000) {
        (void)fprintf(stderr, "bench_peers [NODES-PER-LOAD]\n");
        return 2;
    }
    nlopt_version(&version[0], &version[1], &version[2]);
    (void)printf("GLPK %s, Ipopt %s, NLopt %d.%d.%d; %ld nodes per load, %d services each, "
                 "CPU time\n",
                 glp_version(), IPOPT_VERSION, version[0], version[1], version[2], nodes,
                 SERVICES);
    (void)printf(
        "load  goal    method                      ms/node   x ours   optimal   mean gap  "
        "worst gap\n");
    for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
        /* The others have floors as lower bounds, where all of these fit. */
        if ((loads[i] < 1.0 && !bench_load(loads[i], (int)nodes, ALLOCATION_FLOORS)) ||
            !bench_load(loads[i], (int)nodes, ALLOCATION_PRODUCT)) {
            (void)fprintf(stderr, "no memory\n");
            return 1;
        }
    }
    return 0;
}
