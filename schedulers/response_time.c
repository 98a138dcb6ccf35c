// SPDX-License-Identifier: Apache-2.0
/*
 * Web service behind an entry point, as a queue: x follows from the CPU that it has and from
 * the demand B, the CPU that its load uses.
 *
 * B is the measured request rate times the CPU of a request (utilization law), so that more
 * users are answered before they wait. What a request takes, and by how much CPU time is
 * misread, is learnt from x in quiet (response_fit.h): not while a backlog drains, and not
 * while the window of x mixes the old and the new cap.
 *
 * What is proposed needs B with a margin for the noise of few requests, and where there is room
 * some headroom besides, for more load: the optimizer's guard gives that up before anybody goes
 * without. The model is renewed when it has become too low, or plainly too high; the wish goes
 * up at once and down only to the highest of the last 5 minutes. A backlog that the model does
 * not explain is answered by the ratio rule, and a plainly good x is believed more than the
 * model: it never asks for more.
 */
#include <math.h>
#include <string.h>

#include "schedulers/builtin.h"
#include "schedulers/model.h"
#include "schedulers/response_held.h"
#include "schedulers/response_watch.h"

#define AIM            0.65
#define GOOD           0.5  /* x up to this never asks for more */
#define ALERT          0.85 /* of what is plainly good the model never says more than this */
#define SATURATED      0.9  /* share of the cap in use where CPU use is only a lower bound */
#define JUMP_MIN       1.25
#define JUMP_MAX       2.0
#define JUMP_FAR       4.0 /* ... where x is so far over its target that this is not too much */
#define MARGIN         0.015 /* of B: always kept, for the time until the next control */
#define STEP           0.015 /* of B: used up before the model is renewed */
#define BAND           0.04  /* of the need: a model that needs so much less is renewed too */
#define HEADROOM       0.06  /* of B: kept besides where it fits, for more load */
#define MARGIN_SIGMAS  2.0   /* standard errors of B that are added to the margin */
#define ERROR_LARGE    0.1   /* of B: no scale can be told from it */
#define MARGIN_MAX     0.5
#define REQUESTS_MANY  1000.0 /* in a window: B is exact */
#define SPARE          1.2    /* of B: load that is wished for */
#define SPARE_MOST     1.5    /* of the need: more is not wished for */
#define WISH_UP        0.08   /* part by which the wish moves at once, up */
#define WISH_DOWN      0.15
#define OVER_SIGMAS    3.0    /* x so far above its target is no noise */
#define FAR_LOWER      0.5    /* of the x that was foreseen: no noise */
#define FALLING        0.7    /* of x before: a backlog that drains */
#define KEEP_MS        300000 /* the wish stays at its highest for so long */
#define KEEP_SLOTS     25     /* of a 24th of that: the oldest is nearly out of it */
#define DENIED_PERIODS 6      /* a guess that is not granted stands so long */
#define DEMAND_PERIODS 3      /* CPU of a request is the highest of these */
#define LOAD_NONE      0.01   /* requests/s */
#define NOISE_FIRST    0.15
#define DEMAND_LEAST   0.01 /* percent */

struct response_state {
    bool started;
    bool held_known;
    uint32_t cap_pct; /* at the last call */
    struct response_held held;
    double x_before;
    double costs[DEMAND_PERIODS]; /* CPU of a request, percent times seconds, newest periods */
    uint32_t costs_next;
    uint32_t denied;         /* periods in which it had less than its need */
    int64_t slot;            /* number of the newest slot of time */
    float wants[KEEP_SLOTS]; /* ring by slot: the highest want in it, before the maximum */
    int64_t changed_ms;
    int64_t over_ms; /* when x was last over its target */
    struct response_fit fit;
    struct response_watch watch;
    const struct profile_use *profile; /* that is used; for the call only */
};
_Static_assert(sizeof(struct response_state) <= SCHEDULER_STATE_BYTES, "state fits its buffer");

static int64_t slot_of(const struct service_view *view)
{
    const int64_t slot = view->now_ms / (KEEP_MS / (KEEP_SLOTS - 1));
    return slot > 0 ? slot : 0;
}

/* Nothing is known of the time before: what was granted then counts as needed. */
static void start(struct response_state *state, const struct service_view *view)
{
    if (!state->started) {
        state->started = true;
        state->over_ms = INT64_MIN / 2;
        state->slot = slot_of(view);
        for (uint32_t i = 0; i < KEEP_SLOTS; i++) {
            state->wants[i] = (float)view->cap_pct;
        }
    }
}

/* However many calls there are in it: the highest of the last 5 minutes. */
static double highest_want(struct response_state *state, const struct service_view *view,
                           double want_pct)
{
    const int64_t now = slot_of(view);
    for (uint32_t i = 0; i < KEEP_SLOTS && state->slot < now; i++) {
        state->slot++;
        state->wants[state->slot % KEEP_SLOTS] = 0.0F;
    }
    state->slot = now; /* a clock that was set back begins there */
    float *newest = &state->wants[now % KEEP_SLOTS];
    *newest = (float)want_pct > *newest ? (float)want_pct : *newest;
    double highest = 0.0;
    for (uint32_t i = 0; i < KEEP_SLOTS; i++) {
        highest = fmax(highest, (double)state->wants[i]);
    }
    return highest;
}

/* Takes up the profile for this call, where it is right. Another one than before: all that was
 * learnt was by another law. */
static void use_profile(struct response_state *state, const struct profile_use *profile)
{
    if (response_watch_begin(&state->watch, profile)) {
        state->fit = (struct response_fit){0};
        state->held_known = state->held_known && state->held.basis != MODEL_BASIS_PROFILE;
        if (profile != NULL) {
            response_fit_begin(&state->fit);
        }
    }
    state->profile = state->watch.outdated ? NULL : profile;
    state->held.model.profile =
        state->held.basis == MODEL_BASIS_PROFILE ? state->profile : NULL;
}

/* Out of date: from now on it is learnt like a service without one. */
static void drop_profile(struct response_state *state)
{
    state->fit = (struct response_fit){0};
    state->held_known = state->held_known && state->held.basis != MODEL_BASIS_PROFILE;
    state->profile = NULL;
}

/* Forgets needs higher than this: they were guesses made without knowledge. */
static void limit_wants(struct response_state *state, double want_pct)
{
    for (uint32_t i = 0; i < KEEP_SLOTS; i++) {
        state->wants[i] = (float)fmin((double)state->wants[i], want_pct);
    }
}

/* ---- what is known ---- */

/* B at the present load; where no request was counted yet, the CPU in use. */
static double demand(const struct response_state *state, const struct service_view *view)
{
    double cost = 0.0;
    for (uint32_t i = 0; i < DEMAND_PERIODS; i++) {
        cost = fmax(cost, state->costs[i]);
    }
    return cost > 0.0 && view->load > 0.0 ? cost * view->load : view->cpu_used_pct;
}

/* Relative deviation of B beside that of a load of many requests: of n it is 1 / sqrt(n). */
static double error_of(const struct service_view *view)
{
    const double requests = view->load * view->objective.response_time.window_ms / 1000.0;
    if (isnan(requests)) {
        return 0.0;
    }
    return requests > 1.0 ? fmax(1.0 / sqrt(requests) - 1.0 / sqrt(REQUESTS_MANY), 0.0) : 1.0;
}

/* Part of B that is always kept. */
static double margin(const struct service_view *view)
{
    return fmin(MARGIN + MARGIN_SIGMAS * error_of(view), MARGIN_MAX);
}

static double noise_of(const struct response_state *state)
{
    return state->fit.count > 0 ? state->fit.noise : NOISE_FIRST;
}

static struct response_model model_of(const struct response_state *state,
                                      const struct service_view *view)
{
    struct response_model model =
        response_fit_model(&state->fit, view->vms_running > 0 ? view->vms_running : 1);
    if (error_of(view) > ERROR_LARGE) {
        model.scale = fmax(model.scale, 1.0);
    }
    model.profile = state->profile;
    model.cost_pct_s = fmax(demand(state, view), DEMAND_LEAST) / view->load;
    return model;
}

/* ---- what is measured ---- */

/* So long what is measured has something of the time before a change in it. */
static int64_t settle_ms(const struct service_view *view)
{
    const int64_t window_ms = view->objective.response_time.window_ms;
    return window_ms > view->period_ms ? window_ms : view->period_ms;
}

/* True while the window of the measurement reaches back behind the last change of the cap. */
static bool is_settling(struct response_state *state, const struct service_view *view)
{
    if (state->cap_pct != view->cap_pct) {
        /* The grant came right after the last call, one period ago. */
        state->changed_ms =
            state->cap_pct == 0 ? INT64_MIN / 2 : view->now_ms - view->period_ms;
        state->cap_pct = view->cap_pct;
    }
    /* A window that ends together with the first period after the change has nothing old in it
     * but the requests that were waiting. */
    return view->now_ms - state->changed_ms <= view->objective.response_time.window_ms;
}

/* By how much more CPU than the model says x takes, as a factor. */
static double deviation_of(const struct response_model *model, double demand_pct,
                           const struct service_view *view)
{
    return view->cap_pct / response_need(model, demand_pct, view->measured, view);
}

/* A quiet period: what it shows of B and of x is true. True, with how far: the profile, or what
 * was learnt, was out of date. */
static bool learn(struct response_state *state, const struct service_view *view,
                  double *deviation)
{
    if (view->load > 0.0) {
        state->costs[state->costs_next] = view->cpu_used_pct / view->load;
        state->costs_next = (state->costs_next + 1) % DEMAND_PERIODS;
    }
    const double demand_pct = fmax(view->cpu_used_pct, DEMAND_LEAST);
    struct response_measurement seen = {.demand_pct = demand_pct,
                                        .demand_error = error_of(view),
                                        .r_pct = view->cap_pct,
                                        .vms = view->vms_running > 0 ? view->vms_running : 1,
                                        .x = view->measured,
                                        .profile = state->profile,
                                        .load = view->load};
    if (seen.profile != NULL && response_watch_learn(&state->watch, &seen, noise_of(state))) {
        drop_profile(state);
        seen.profile = NULL;
        *deviation = state->watch.deviation;
        (void)response_fit_learn(&state->fit, &seen);
        return true;
    }
    if (seen.profile != NULL && !response_watch_covers(&seen)) {
        return false;
    }
    struct response_model model = response_fit_model(&state->fit, seen.vms);
    model.profile = state->profile;
    model.cost_pct_s = demand_pct / view->load;
    const double foreseen = response_model_x(&model, demand_pct, view->cap_pct);
    if (state->profile == NULL && state->fit.count > 0 && isfinite(foreseen) &&
        view->measured < FAR_LOWER * foreseen) {
        state->fit.count = 0; /* a plainly lower need is believed at once */
    }
    *deviation = deviation_of(&model, demand_pct, view);
    /* What it corrects by itself is nobody's business; of a profile the watch tells. */
    return response_fit_learn(&state->fit, &seen) && state->profile == NULL &&
           response_watch_is_far(*deviation);
}

/* A backlog without a model that explains it: what is asked for is the best guess of what
 * brings x to its aim. */
static double guess(struct response_state *state, const struct service_view *view,
                    bool saturated)
{
    const double ratio = view->measured / AIM;
    const double spare = fmax(view->cap_pct - view->cpu_used_pct, 0.0);
    double want = saturated ? ratio * view->cap_pct : view->cpu_used_pct + ratio * spare;
    const double most = fmin(fmax(view->measured / JUMP_MAX, JUMP_MAX), JUMP_FAR);
    want = fmin(fmax(want, JUMP_MIN * view->cap_pct), most * view->cap_pct);
    const double b_pct = fmin(view->cpu_used_pct, view->cap_pct);
    /* The floor that is asked for is less of a leap than the wish. */
    const double sure = fmin(want, JUMP_MAX * view->cap_pct);
    const double need = b_pct + AIM * fmax(sure - b_pct, 0.1 * view->cap_pct);
    /* Processor sharing through the aim. */
    struct response_held now = {
        .demand_pct = b_pct, .stretch = 1.0, .need_pct = need, .want_pct = want};
    now.model = (struct response_model){.scale = 1.0, .vms = 1 + view->cap_max_pct / 100};
    now.model.alone = (need - b_pct) / (100.0 * now.model.vms);
    state->held = now;
    state->held_known = true;
    if (view->measured > 1.0) {
        limit_wants(state, want);
    }
    (void)highest_want(state, view, want);
    return want;
}

/* It did not get what it asked for, so that x says nothing new of its need: the guess stands,
 * and is lowered from time to time, for it may have been too high to be granted. */
static void insist(struct response_state *state)
{
    struct response_held *held = &state->held;
    if (++state->denied > DENIED_PERIODS) {
        state->denied = 0;
        held->stretch /= JUMP_MIN;
        held->need_pct /= JUMP_MIN;
        held->want_pct /= JUMP_MIN;
    }
}

/* The wish goes up at once, and down to the highest of the newest. */
static double wish(struct response_state *state, const struct service_view *view,
                   double want_pct)
{
    const double before = state->held.want_pct;
    const double highest = highest_want(state, view, want_pct);
    const bool stays = want_pct <= before * (1.0 + WISH_UP) &&
                       highest >= before * (1.0 - WISH_DOWN) && state->held_known;
    return stays ? before : highest;
}

/* The model as it is known now. */
static void renew(struct response_state *state, const struct service_view *view)
{
    const double b_pct = demand(state, view);
    struct response_held now = {.model = model_of(state, view),
                                .demand_pct = b_pct * (1.0 + margin(view) + STEP),
                                .basis = state->profile != NULL ? MODEL_BASIS_PROFILE
                                                                : MODEL_BASIS_LEARNT,
                                .headroom = HEADROOM,
                                .stretch = 1.0};
    const double bare = response_need(&now.model, b_pct, 1.0, view);
    if (view->measured * (1.0 + 2.0 * noise_of(state)) <= 1.0 && bare > view->cap_pct) {
        now.stretch = view->cap_pct / bare; /* the present cap is enough: seen */
    }
    const double need = response_need(&now.model, now.demand_pct, 1.0, view);
    const double most = SPARE_MOST * need;
    const double easy = response_need(&now.model, now.demand_pct, AIM, view);
    const double more =
        response_need(&now.model, fmax(b_pct * SPARE, now.demand_pct), 1.0, view);
    now.need_pct = now.stretch * need;
    now.want_pct = wish(state, view, now.stretch * fmax(fmin(easy, most), fmin(more, most)));
    const double used = response_need(&now.model, b_pct * (1.0 + margin(view)), 1.0, view);
    if (!state->held_known || now.stretch * used > state->held.need_pct ||
        now.need_pct < state->held.need_pct * (1.0 - BAND)) {
        state->held = now;
    }
    state->held.want_pct = fmax(now.want_pct, response_held_safe_pct(&state->held, view));
    state->held_known = true;
}

/* A plainly good x: the present cap is enough, so the model must say so too. */
static void believe_good(struct response_state *state, const struct service_view *view)
{
    struct response_held *held = &state->held;
    if (held->stretch * response_need(&held->model, held->demand_pct * (1.0 + held->headroom),
                                      ALERT, view) >
        view->cap_pct) {
        held->headroom = 0.0;
    }
    const double need =
        held->stretch * response_need(&held->model, held->demand_pct, ALERT, view);
    if (need > view->cap_pct) {
        const double part = view->cap_pct / need;
        held->stretch *= part;
        held->need_pct *= part;
        held->want_pct *= part;
        limit_wants(state, held->want_pct);
    }
}

static void choose_want(const struct service_view *view, double wanted, struct proposal *out)
{
    out->want_pct = model_clamp_want(view, wanted);
    out->reason = REASON_NONE;
    if (out->want_pct > view->cap_pct) {
        out->reason = REASON_LEVEL_LOW;
    } else if (out->want_pct < view->cap_pct) {
        out->reason = REASON_LEVEL_SPARE;
    }
}

/* What the model wants; what is measured in quiet is learnt first. */
static double want_by_model(struct response_state *state, const struct service_view *view,
                            bool quiet, struct proposal *out)
{
    if (quiet) {
        double deviation = 0.0;
        out->learnt = true;
        out->outdated = learn(state, view, &deviation);
        out->deviation = out->outdated ? deviation : 0.0;
    }
    if (state->fit.count > 0) {
        renew(state, view);
    }
    return state->held_known ? state->held.want_pct : view->cap_pct;
}

/* The model and the want of a service whose x and CPU are known. */
static void propose_measured(struct response_state *state, const struct service_view *view,
                             bool saturated, struct proposal *out)
{
    const bool settling = is_settling(state, view);
    const double noise = noise_of(state);
    const bool known = state->fit.count >= RESPONSE_BELIEVED; /* also in a backlog */
    const double sure = known ? 1.0 + OVER_SIGMAS * noise : 1.0;
    const struct response_model model = model_of(state, view);
    const double foreseen =
        known ? response_model_x(&model, demand(state, view), view->cap_pct) : 0.0;
    const bool over = view->measured > sure || (!known && saturated && view->measured > ALERT);
    if (over) {
        state->over_ms = view->now_ms;
    }
    const bool falling = settling && view->measured < FALLING * state->x_before;
    state->x_before = view->measured;
    const bool draining = view->now_ms - state->over_ms <= settle_ms(view);
    double wanted = 0.0;
    const bool denied = state->held_known && view->cap_pct + 1.0 < state->held.need_pct;
    state->denied = denied ? state->denied : 0;
    if (over && !known && denied) {
        insist(state);
        wanted = state->held.want_pct;
    } else if (over && !(foreseen > sure) && (saturated || !settling) && !falling) {
        wanted = guess(state, view, saturated);
    } else {
        wanted = want_by_model(state, view, !over && !draining && !settling, out);
    }
    if (view->measured <= GOOD) {
        if (state->held_known) {
            believe_good(state, view);
        }
        wanted = fmin(wanted, view->cap_pct);
    }
    if (!state->held_known) {
        return;
    }
    response_held_emit(&state->held, view, out);
    choose_want(view, wanted, out);
}

static void propose_idle(struct response_state *state, const struct service_view *view,
                         struct proposal *out)
{
    model_hold(view, REASON_LEVEL_SPARE, out);
    const double highest = highest_want(state, view, view->cap_min_pct);
    out->model = MODEL_KIND_PS;
    out->b_pct = 0.0;
    out->a_pct =
        state->held_known ? fmax(state->held.need_pct - state->held.demand_pct, 1.0) : 1.0;
    const uint32_t want = model_clamp_want(view, highest);
    out->want_pct = want < view->cap_pct ? want : view->cap_pct;
}

static void keep(struct response_state *state, struct scheduler_state *memory)
{
    state->profile = NULL;
    state->held.model.profile = NULL;
    memcpy(memory->bytes, state, sizeof *state);
}

static void propose(struct scheduler_state *memory, const struct service_view *view,
                    const struct profile_use *profile, struct proposal *out)
{
    struct response_state state;
    memcpy(&state, memory->bytes, sizeof state);
    start(&state, view);
    use_profile(&state, profile);
    struct service_view seen = *view;
    if (isnan(view->cpu_used_pct) && view->measured > 1.0) {
        seen.cpu_used_pct = view->cap_pct; /* users wait: the ratio rule needs only x */
    }
    const bool saturated = view->cap_pct > 0 && seen.cpu_used_pct >= SATURATED * view->cap_pct;
    const bool unanswered = saturated && !isfinite(view->measured) && isfinite(view->load);
    if (unanswered) {
        seen.measured = JUMP_MAX; /* works at its limit and nothing is done: far over */
    }
    const bool stale =
        view->cap_pct == 0 || (!unanswered && view->measurement_age_ms > 3 * view->period_ms);
    if (!stale && !unanswered && isfinite(view->load) && view->load < LOAD_NONE) {
        propose_idle(&state, view, out);
        keep(&state, memory);
        return;
    }
    const bool loadless = state.profile != NULL && !(view->load > 0.0);
    if (stale || loadless || !isfinite(seen.measured) || !isfinite(seen.cpu_used_pct) ||
        seen.measured <= 0.0) {
        model_hold(view, REASON_STALE, out);
        return;
    }
    model_hold(view, REASON_NONE, out);
    propose_measured(&state, &seen, saturated, out);
    keep(&state, memory);
}

const struct scheduler scheduler_response_time = {
    .name = "response_time",
    .summary = "web service: keeps the response time at its target by a queueing model",
    .propose = propose,
};
