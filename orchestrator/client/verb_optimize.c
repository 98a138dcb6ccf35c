// SPDX-License-Identifier: Apache-2.0
/* optimize: the optimizer on a file, without a daemon. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/closest_word.h"
#include "common/io/clock.h"
#include "common/io/file.h"
#include "orchestrator/client/problem.h"
#include "orchestrator/client/verb.h"

/* ---- the file ---- */

/* Standard input, whole and NUL-terminated. */
static int read_stream(FILE *stream, char **text, size_t *size, struct err *err)
{
    char *buffer = NULL;
    FILE *memory = open_memstream(&buffer, size);
    if (memory == NULL) {
        return err_set(err, -ENOMEM, "no memory");
    }
    char block[1 << 16];
    size_t got = 0;
    size_t all = 0;
    while (all <= PROBLEM_BYTES_MAX && (got = fread(block, 1, sizeof block, stream)) > 0) {
        all += fwrite(block, 1, got, memory);
    }
    const bool failed = ferror(stream) != 0 || all > PROBLEM_BYTES_MAX;
    if (fclose(memory) != 0 || failed) {
        free(buffer);
        return err_set(err, -EFBIG, "cannot be read or is over %u MiB",
                       PROBLEM_BYTES_MAX >> 20);
    }
    *text = buffer;
    return 0;
}

/* "-", a file, or what a shell makes of <(command). */
static int read_text(const char *path, char **text, size_t *size, struct err *err)
{
    struct stat info;
    const bool is_input = strcmp(path, "-") == 0;
    if (!is_input && (stat(path, &info) != 0 || !S_ISFIFO(info.st_mode))) {
        return file_read(path, PROBLEM_BYTES_MAX, text, size, err);
    }
    FILE *stream = is_input ? stdin : fopen(path, "re");
    if (stream == NULL) {
        return err_set(err, -errno, "%s: cannot open", path);
    }
    const int rc = read_stream(stream, text, size, err);
    if (!is_input) {
        (void)fclose(stream);
    }
    return rc;
}

static int tell_mistakes(const struct client *client, const char *path,
                         const struct problem_mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count && i < PROBLEM_MISTAKES_MAX; i++) {
        const struct problem_mistake *mistake = &mistakes->items[i];
        (void)fprintf(stderr, "%s: %s%s%s\n", path, mistake->path,
                      mistake->path[0] != '\0' ? ": " : "", mistake->text);
    }
    const int code = client_error(client, REPLY_INVALID, "%zu mistake%s in %s", mistakes->count,
                                  mistakes->count == 1 ? "" : "s", path);
    client_hint("arbiter help optimize        the form, with an example");
    return code;
}

static int read_problem(const struct client *client, const char *path, struct problem *problem)
{
    struct err err = {0};
    char *text = NULL;
    size_t size = 0;
    const char *name = strcmp(path, "-") == 0 ? "stdin" : path;
    if (read_text(path, &text, &size, &err) != 0) {
        return client_error(client, REPLY_INVALID, "%s", err.text);
    }
    struct problem_mistakes *mistakes = calloc(1, sizeof *mistakes);
    const int rc = mistakes != NULL ? problem_read(text, size, problem, mistakes) : -ENOMEM;
    free(text);
    int code = 0;
    if (rc == -EINVAL) {
        code = tell_mistakes(client, name, mistakes);
    } else if (rc != 0) {
        code = client_error(client, REPLY_FAILED, "%s: no memory", name);
    }
    free(mistakes);
    return code;
}

/* ---- what cannot fit ---- */

static void add_short(struct reply *reply, const char *text, uint32_t number)
{
    if (number < FACTS_MAX) {
        (void)snprintf(reply->facts[reply->facts_count++], TEXT_SIZE, "%s", text);
    } else {
        (void)snprintf(reply->facts[FACTS_MAX - 1], TEXT_SIZE, "and %u more nodes",
                       number - FACTS_MAX + 2);
    }
}

/* Exit code 7 with every node whose minimums are more than it has. */
static int check_minimums(const struct client *client, const struct problem *problem)
{
    const uint32_t count = problem->allocation.nodes_count;
    struct problem_need *needs = calloc(count + 1u, sizeof *needs);
    struct reply *reply = calloc(1, sizeof *reply);
    if (needs == NULL || reply == NULL) {
        free(needs);
        free(reply);
        return client_error(client, REPLY_FAILED, "no memory");
    }
    uint32_t shorts = 0;
    bool cpu = false; /* else only memory is short */
    problem_minimum(&problem->allocation, needs);
    for (uint32_t j = 0; j < count; j++) {
        char text[TEXT_SIZE];
        if (problem_is_short(&problem->nodes[j], &needs[j], text)) {
            add_short(reply, text, shorts++);
            cpu = cpu || needs[j].cpu_pct > problem->nodes[j].cpu_pct;
        }
    }
    reply->code = shorts > 0 ? REPLY_INFEASIBLE : REPLY_DONE;
    reply->reason = cpu ? REASON_NO_CPU : REASON_NO_MEMORY;
    (void)snprintf(reply->text, sizeof reply->text, "the minimums do not fit: %u node%s short",
                   shorts, shorts == 1 ? " is" : "s are");
    (void)snprintf(reply->hints[0], TEXT_SIZE,
                   "lower min_cap_pct or mem_mib of VMs there, or move VMs to another node");
    reply->hints_count = 1;
    const int code = client_tell_reply(client, reply);
    free(needs);
    free(reply);
    return code;
}

/* ---- the answer ---- */

static int widest(int width, const char *name)
{
    const int own = (int)strlen(name);
    return own > width ? own : width;
}

static void print_state(const struct client *client, const struct allocation_service *service,
                        const struct allocation_service_answer *answer)
{
    const bool bad = answer->sacrificed || answer->missing_pct > 0;
    (void)printf("  %s", output_color(&client->output, bad ? OUTPUT_RED : OUTPUT_GREEN));
    if (answer->missing_pct == UINT32_MAX) {
        (void)printf("no CPU is enough");
    } else if (bad) {
        (void)printf("%s, %u short", answer->sacrificed ? "sacrificed" : "below its floor",
                     answer->missing_pct);
    } else {
        (void)printf("kept");
    }
    (void)printf("%s%s\n", output_color(&client->output, OUTPUT_PLAIN),
                 problem_is_extrapolated(service, answer->r_pct) ? " *" : "");
}

static void print_service(const struct client *client, const struct problem *problem,
                          const struct allocation_answer *answer, uint32_t index,
                          const int widths[2])
{
    const struct allocation_service *service = &problem->services[index];
    const struct allocation_service_answer *own = &answer->services[index];
    for (uint32_t k = 0; k < service->vms_count; k++) {
        const uint32_t v = service->first_vm + k;
        (void)printf("%-*s  %-*s %6u", widths[0], k == 0 ? service->name : "", widths[1],
                     problem->nodes[problem->vms[v].node].name, answer->caps_pct[v]);
        if (k > 0) {
            (void)putchar('\n');
            continue;
        }
        (void)printf("  %8.6g  %7.4g  %6.4f", own->r_pct, problem_x(service, own->x),
                     own->level);
        print_state(client, service, own);
    }
}

static void print_table(const struct client *client, const struct problem *problem,
                        const struct allocation_answer *answer, double time_ms)
{
    const struct allocation_problem *given = &problem->allocation;
    int widths[2] = {(int)strlen("SERVICE"), (int)strlen("NODE")};
    bool extrapolated = false;
    double weights = 0.0;
    for (uint32_t i = 0; i < given->services_count; i++) {
        widths[0] = widest(widths[0], given->services[i].name);
        weights += given->services[i].weight;
        extrapolated = extrapolated ||
                       problem_is_extrapolated(&given->services[i], answer->services[i].r_pct);
    }
    for (uint32_t j = 0; j < given->nodes_count; j++) {
        widths[1] = widest(widths[1], given->nodes[j].name);
    }
    (void)printf("objective %s  %s  kept weight %.6g of %.6g, at most %.6g\n",
                 given->objective == ALLOCATION_FLOORS ? "floors" : "product",
                 problem_floors_fit(given, answer) ? "all floors fit" : "not all floors fit",
                 answer->kept_weight, weights, answer->kept_weight_bound);
    (void)printf("mean level %.4f  log sigma %.5g  at most %.5g  gap %.2g  %.3g ms\n\n",
                 problem_mean_level(given, answer), answer->log_sigma, answer->upper_bound,
                 answer->upper_bound - answer->log_sigma, time_ms);
    if (!client->output.no_header) {
        (void)printf("%-*s  %-*s %6s  %8s  %7s  %6s  %s\n", widths[0], "SERVICE", widths[1],
                     "NODE", "CAP %", "R %", "X", "LEVEL", "STATE");
    }
    for (uint32_t i = 0; i < given->services_count; i++) {
        print_service(client, problem, answer, i, widths);
    }
    if (extrapolated) {
        (void)printf("\n* outside the points of its table: x is that of the nearest point\n");
    }
}

static void print_csv(const struct client *client, const struct problem *problem,
                      const struct allocation_answer *answer)
{
    const struct allocation_problem *given = &problem->allocation;
    if (!client->output.no_header) {
        (void)printf("service,node,cap_pct,r_pct,x,level,sacrificed,missing_pct\n");
    }
    for (uint32_t i = 0; i < given->services_count; i++) {
        const struct allocation_service *service = &given->services[i];
        const struct allocation_service_answer *own = &answer->services[i];
        for (uint32_t k = 0; k < service->vms_count; k++) {
            const uint32_t v = service->first_vm + k;
            output_csv_cell(stdout, service->name);
            (void)putchar(',');
            output_csv_cell(stdout, given->nodes[given->vms[v].node].name);
            (void)printf(",%u,%.17g,%.17g,%.17g,%s,", answer->caps_pct[v], own->r_pct,
                         problem_x(service, own->x), own->level,
                         problem_is_sacrificed(own) ? "true" : "false");
            if (own->missing_pct != UINT32_MAX) {
                (void)printf("%u", own->missing_pct);
            }
            (void)putchar('\n');
        }
    }
}

static int print_answer(const struct client *client, const struct problem *problem,
                        const struct allocation_answer *answer, double time_ms)
{
    if (output_is_tree(&client->output)) {
        json_t *tree = problem_answer_tree(&problem->allocation, answer, time_ms);
        return tree != NULL && output_tree(stdout, &client->output, tree) == 0
                   ? 0
                   : client_error(client, REPLY_FAILED, "the answer cannot be written");
    }
    if (client->output.format == OUTPUT_CSV) {
        print_csv(client, problem, answer);
    } else if (client->output.format == OUTPUT_NAME) {
        for (uint32_t i = 0; i < problem->allocation.services_count; i++) {
            (void)printf("%s\n", problem->services[i].name);
        }
    } else {
        print_table(client, problem, answer, time_ms);
    }
    return 0;
}

static enum reply_code code_of(int rc)
{
    return rc == -ENOSPC                   ? REPLY_INFEASIBLE
           : rc == -EINVAL || rc == -E2BIG ? REPLY_INVALID
                                           : REPLY_FAILED;
}

static int solve(const struct client *client, const struct problem *problem)
{
    struct allocation_answer answer;
    struct err err = {0};
    if (allocation_answer_init(&answer, problem->allocation.services_count,
                               problem->allocation.vms_count) != 0) {
        return client_error(client, REPLY_FAILED, "no memory");
    }
    const int64_t begin_us = clock_boot_us();
    const int rc = allocation_solve(&problem->allocation, &answer, &err);
    const double time_ms = (double)(clock_boot_us() - begin_us) / 1000.0;
    int code = 0;
    if (rc != 0) {
        code = client_error(client, code_of(rc), "%s", err.text);
    } else {
        code = print_answer(client, problem, &answer, time_ms);
    }
    allocation_answer_finish(&answer);
    return code;
}

/* ---- how many more ---- */

static int find_service(const struct client *client, const struct problem *problem,
                        uint32_t *index)
{
    struct closest_word closest;
    char suggestion[CLOSEST_WORD_SIZE + 32];
    closest_word_begin(&closest, client->how_many);
    for (uint32_t i = 0; i < problem->allocation.services_count; i++) {
        if (strcmp(problem->services[i].name, client->how_many) == 0) {
            *index = i;
            return 0;
        }
        closest_word_offer(&closest, problem->services[i].name);
    }
    closest_word_print(&closest, suggestion, sizeof suggestion);
    return client_error(client, REPLY_NOT_FOUND, "the file has no service \"%s\"%s",
                        client->how_many, suggestion);
}

static int print_room(const struct client *client, const struct problem *problem,
                      const struct problem_room *room, double time_ms)
{
    const bool exact = room->more == room->more_bound;
    if (!output_is_tree(&client->output)) {
        (void)printf("%u more of %s fit%s with every floor kept", room->more, client->how_many,
                     room->more == 1 ? "s" : "");
        (void)printf(exact ? ", and no more than these\n" : "; more than %u do not\n",
                     room->more_bound);
        if (room->why[0] != '\0') {
            (void)printf("  %s\n", room->why);
        }
        for (uint32_t j = 0; j < problem->allocation.nodes_count; j++) {
            if (room->placed[j] > 0) {
                (void)printf("  %-24s %u VM%s\n", problem->nodes[j].name, room->placed[j],
                             room->placed[j] == 1 ? "" : "s");
            }
        }
        return 0;
    }
    json_t *nodes = json_array();
    for (uint32_t j = 0; j < problem->allocation.nodes_count; j++) {
        if (room->placed[j] > 0) {
            (void)json_array_append_new(nodes,
                                        json_pack("{s:s,s:I}", "node", problem->nodes[j].name,
                                                  "vms", (json_int_t)room->placed[j]));
        }
    }
    json_t *tree = json_pack("{s:i,s:s,s:I,s:I,s:b,s:s,s:f,s:o}", "version", PROBLEM_VERSION,
                             "service", client->how_many, "more", (json_int_t)room->more,
                             "more_bound", (json_int_t)room->more_bound, "exact", (int)exact,
                             "why", room->why, "time_ms", time_ms, "nodes", nodes);
    return tree != NULL && output_tree(stdout, &client->output, tree) == 0
               ? 0
               : client_error(client, REPLY_FAILED, "the answer cannot be written");
}

static int how_many(const struct client *client, const struct problem *problem)
{
    uint32_t index = 0;
    struct err err = {0};
    struct problem_room room = {0};
    int code = find_service(client, problem, &index);
    if (code != 0) {
        return code;
    }
    room.placed = calloc(problem->allocation.nodes_count + 1u, sizeof *room.placed);
    if (room.placed == NULL) {
        return client_error(client, REPLY_FAILED, "no memory");
    }
    const int64_t begin_us = clock_boot_us();
    const int rc = problem_how_many(&problem->allocation, index, &room, &err);
    if (rc != 0) {
        code = client_error(client, code_of(rc), "%s", err.text);
    } else {
        code =
            print_room(client, problem, &room, (double)(clock_boot_us() - begin_us) / 1000.0);
    }
    free(room.placed);
    return code;
}

int verb_optimize(struct client *client, int count, char **words)
{
    const char *path = count == 1 ? words[0] : count == 0 ? client->file : NULL;
    if (path == NULL) {
        const int code = client_error(client, REPLY_INVALID, "expected one file");
        client_hint("arbiter optimize FILE        - reads standard input");
        return code;
    }
    struct problem problem = {0};
    int code = read_problem(client, path, &problem);
    code = code != 0 ? code : check_minimums(client, &problem);
    if (code == 0) {
        code = client->how_many != NULL ? how_many(client, &problem) : solve(client, &problem);
    }
    problem_finish(&problem);
    return code;
}
