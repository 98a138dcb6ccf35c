// SPDX-License-Identifier: Apache-2.0
#include "schedulers/optimizer/value.h"

#include <math.h>

#include "common/service_level.h"
#include "schedulers/model.h"

double value_r(const struct service_value *value, uint32_t n)
{
    return value->base_r + value->unit * n;
}

/* service_level_log(), with one logarithm: that of w is known. */
static double log_level(const struct service_value *value, double x)
{
    const struct level_curve *curve = &value->curve;
    const double x_most = SERVICE_LEVEL_X_MAX * curve->b;
    const double u = curve->a * (curve->b - (x > x_most ? x_most : x));
    const double s = sqrt(1.0 + u * u);
    return u < 0.0 ? value->log_w - log(s * (s - u)) : value->log_w + log(1.0 + u / s);
}

double value_at_r(const struct service_value *value, double r)
{
    double x = 0.0;
    if (value->fixed) {
        const double want = value->model->want_pct;
        x = value->curve.b * (r >= want ? 1.0 : want / r);
    } else {
        x = model_predict(value->model, r);
    }
    return value->weight * log_level(value, x);
}

double value_at(const struct service_value *value, uint32_t n)
{
    return value_at_r(value, value_r(value, n));
}

/* ---- pieces ---- */

struct cutter {
    const struct service_value *value;
    struct piece *out;
    uint32_t count;
};

static double slope_at(const struct service_value *value, double t, double beta)
{
    return value->weight * beta * marginal_slope(value->marginal->ab, t);
}

static void add_piece(struct cutter *cutter, enum piece_kind kind, double from, double to,
                      const double line[2])
{
    if (!(to > from)) {
        return;
    }
    struct piece *piece = &cutter->out[cutter->count++];
    *piece =
        (struct piece){.kind = kind, .from = from, .to = to, .alpha = line[0], .beta = line[1]};
    if (kind != PIECE_ENDS) {
        piece->log_scale = cutter->value->log_weight + log(line[1]);
        piece->slope_from = slope_at(cutter->value, line[0] + line[1] * from, line[1]);
        piece->slope_to =
            isfinite(to) ? slope_at(cutter->value, line[0] + line[1] * to, line[1]) : 0.0;
    }
}

/* One straight part of t over r, cut where G changes its curvature. */
static void add_line(struct cutter *cutter, double from, double to, const double line[2])
{
    const struct marginal *marginal = cutter->value->marginal;
    if (!(line[1] > 0.0) || !isfinite(line[1]) || !isfinite(line[0])) {
        add_piece(cutter, PIECE_ENDS, from, to, line);
        return;
    }
    const double ends[] = {MARGINAL_T_LEAST, marginal->t_low, marginal->t_high, HUGE_VAL};
    const enum piece_kind kinds[] = {PIECE_ENDS, PIECE_LOW, PIECE_ENDS, PIECE_HIGH};
    double at = from;
    for (int i = 0; i < 4 && at < to; i++) {
        double end = (ends[i] - line[0]) / line[1];
        end = end < to ? end : to;
        if (end > at) {
            add_piece(cutter, kinds[i], at, end, line);
            at = end;
        }
    }
}

/* t = (r - start) / demand; nothing to do is done at once. */
static void add_queue(struct cutter *cutter, double start, double demand)
{
    const bool idle = !(demand > 0.0) || !isfinite(1.0 / demand);
    add_line(cutter, start, HUGE_VAL,
             idle ? (double[2]){HUGE_VAL, 0.0} : (double[2]){-start / demand, 1.0 / demand});
}

static void cut_table(struct cutter *cutter, const struct proposal *model, double b)
{
    const struct curve_point *points = model->points;
    const uint32_t last = model->points_count - 1;
    add_line(cutter, 0.0, points[0].cap_pct, (double[2]){b / points[0].x, 0.0});
    for (uint32_t i = 1; i <= last; i++) {
        const double before = b / points[i - 1].x;
        const double beta =
            (b / points[i].x - before) / ((double)points[i].cap_pct - points[i - 1].cap_pct);
        add_line(cutter, points[i - 1].cap_pct, points[i].cap_pct,
                 (double[2]){before - beta * points[i - 1].cap_pct, beta});
    }
    add_line(cutter, points[last].cap_pct, HUGE_VAL, (double[2]){b / points[last].x, 0.0});
}

uint32_t value_cut(const struct service_value *value, struct piece *out)
{
    struct cutter cutter = {.value = value, .out = out};
    const struct proposal *model = value->model;
    const double b = value->curve.b;
    if (value->fixed) {
        const double want = model->want_pct > 0 ? model->want_pct : 1.0;
        add_line(&cutter, 0.0, want, (double[2]){0.0, 1.0 / want});
        add_line(&cutter, want, HUGE_VAL, (double[2]){1.0, 0.0});
        return cutter.count;
    }
    switch (model->model) {
    case MODEL_KIND_RECIPROCAL: add_queue(&cutter, 0.0, model->demand_pct / b); break;
    case MODEL_KIND_PS:
        add_line(&cutter, 0.0, model->b_pct, (double[2]){MARGINAL_T_LEAST, 0.0});
        add_queue(&cutter, model->b_pct, model->a_pct / b);
        break;
    case MODEL_KIND_TABLE: cut_table(&cutter, model, b); break;
    case MODEL_KIND_FIXED:
    case MODEL_KIND_UNSPECIFIED: break;
    }
    return cutter.count;
}

bool value_is_concave_high(const struct service_value *value)
{
    double slope = HUGE_VAL;
    for (uint32_t i = 0; i < value->pieces_count; i++) {
        const struct piece *piece = &value->pieces[i];
        const bool rises = piece->beta > 0.0;
        const double t_from = piece->alpha + (rises ? piece->beta * piece->from : 0.0);
        const double t_to = rises ? piece->alpha + piece->beta * piece->to : t_from;
        if (t_to <= 1.0 && (rises || t_to < 1.0)) {
            continue; /* below the floor */
        }
        const double from = piece->kind == PIECE_HIGH ? piece->slope_from : 0.0;
        if (t_from >= 1.0 && from > slope * (1.0 + 1e-12)) {
            return false;
        }
        if (piece->kind == PIECE_ENDS && rises) {
            return false;
        }
        slope = piece->kind == PIECE_HIGH ? piece->slope_to : 0.0;
    }
    return true;
}

/* ---- the best n at a price ---- */

/* r on a concave piece where its slope is that of log_slope (of value over r). */
static double piece_r(const struct service_value *value, const struct piece *piece,
                      double log_slope)
{
    const double of_g = log_slope - piece->log_scale;
    const double t = piece->kind == PIECE_HIGH ? marginal_t_high(value->marginal, of_g)
                                               : marginal_t_low(value->marginal, of_g);
    const double r = (t - piece->alpha) / piece->beta;
    return r < piece->from ? piece->from : r > piece->to ? piece->to : r;
}

double value_demand(const struct service_value *value, double log_price, double lo, double hi)
{
    if (!(value->unit > 0.0) || hi <= lo) {
        return lo;
    }
    const double log_slope = log_price - value->log_unit;
    const double slope = exp(log_slope);
    const double r_lo = value->base_r + value->unit * lo;
    double r = r_lo;
    for (uint32_t i = 0; i < value->pieces_count; i++) {
        const struct piece *piece = &value->pieces[i];
        if (piece->to <= r_lo || piece->kind == PIECE_ENDS) {
            continue;
        }
        if (piece->slope_from <= slope) {
            break;
        }
        if (piece->slope_to >= slope) {
            r = piece->to;
            continue;
        }
        r = piece_r(value, piece, log_slope);
        break;
    }
    const double n = (r - value->base_r) / value->unit;
    return n < lo ? lo : n > hi ? hi : n;
}

struct best {
    double price;
    double net;
    uint32_t n;
    bool found;
};

static double net_at(const struct service_value *value, double price, uint32_t n)
{
    return value_at(value, n) - price * n;
}

static void take(const struct service_value *value, uint32_t n, struct best *best)
{
    const double net = net_at(value, best->price, n);
    if (!best->found || net > best->net || (net >= best->net && n < best->n)) {
        best->net = net;
        best->n = n;
        best->found = true;
    }
}

static bool rises(const struct service_value *value, double price, uint32_t n)
{
    return net_at(value, price, n + 1) > net_at(value, price, n);
}

/* The peak of a concave piece, somewhere off a start: in strides that double, then by halves.
 */
static uint32_t stride(const struct service_value *value, double price, uint32_t start,
                       const uint32_t range[2])
{
    uint32_t low = range[0];  /* the peak is from here ... */
    uint32_t high = range[1]; /* ... to here */
    const bool up = start < high && rises(value, price, start);
    *(up ? &low : &high) = up ? start + 1 : start;
    bool striding = true;
    for (uint32_t step = 1; low < high; step = striding ? 2 * step : step) {
        const uint32_t width = high - low;
        const uint32_t reach = step < width ? step : width;
        const uint32_t middle =
            striding ? (up ? low + reach - 1 : high - reach) : low + width / 2;
        const bool rising = rises(value, price, middle);
        *(rising ? &low : &high) = rising ? middle + 1 : middle;
        striding = striding && rising == up;
    }
    return low;
}

/* The peak of a concave piece between two n; mostly it is at the start or next to it. */
static void climb(const struct service_value *value, uint32_t start, const uint32_t range[2],
                  struct best *best)
{
    const double price = best->price;
    const double here = net_at(value, price, start);
    const double next = start < range[1] ? net_at(value, price, start + 1) : -HUGE_VAL;
    const bool up = next > here;
    const uint32_t n = up ? start + 1 : start;
    const bool at_end = n == range[up ? 1 : 0];
    const double beyond = at_end ? -HUGE_VAL : net_at(value, price, up ? n + 1 : n - 1);
    const bool is_peak = up ? !(beyond > next) : beyond < here;
    take(value, is_peak ? n : stride(value, price, n, range), best);
}

static uint32_t n_of(const struct service_value *value, double r, bool up)
{
    const double n = (r - value->base_r) / value->unit;
    if (n <= value->lo) {
        return value->lo;
    }
    if (n >= value->hi) {
        return value->hi;
    }
    return (uint32_t)(up ? ceil(n - 1e-9) : floor(n + 1e-9));
}

static void search_piece(const struct service_value *value, const struct piece *piece,
                         const uint32_t range[2], struct best *best)
{
    uint32_t inside[2] = {n_of(value, piece->from, true), n_of(value, piece->to, false)};
    inside[0] = inside[0] > range[0] ? inside[0] : range[0];
    inside[1] = inside[1] < range[1] ? inside[1] : range[1];
    if (inside[0] > inside[1]) {
        return;
    }
    if (piece->kind == PIECE_ENDS || inside[1] - inside[0] < 2) {
        for (uint32_t n = inside[0]; n <= inside[1]; n += inside[1] > n ? inside[1] - n : 1) {
            take(value, n, best);
        }
        return;
    }
    uint32_t start = inside[1];
    if (best->price > 0.0) {
        const double r = piece_r(value, piece, log(best->price / value->unit));
        start = n_of(value, r, false);
    }
    start = start < inside[0] ? inside[0] : start > inside[1] ? inside[1] : start;
    climb(value, start, inside, best);
}

uint32_t value_best(const struct service_value *value, double price, uint32_t lo, uint32_t hi)
{
    if (!(value->unit > 0.0) || lo >= hi) {
        return lo;
    }
    if (price < 0.0) {
        return hi; /* a value never falls */
    }
    struct best best = {.price = price};
    const uint32_t range[2] = {lo, hi};
    const double r_lo = value_r(value, lo) - VALUE_TOLERANCE;
    const double r_hi = value_r(value, hi) + VALUE_TOLERANCE;
    for (uint32_t i = 0; i < value->pieces_count; i++) {
        const struct piece *piece = &value->pieces[i];
        if (piece->to >= r_lo && piece->from <= r_hi) {
            search_piece(value, piece, range, &best);
        }
    }
    take(value, lo, &best);
    take(value, hi, &best);
    return best.n;
}
