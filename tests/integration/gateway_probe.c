// SPDX-License-Identifier: Apache-2.0
/*
 * Owns a gateway as the agent does, for the test of it: orders come as lines on standard input,
 * statuses and metrics go out as lines.
 *
 *   gateway_probe FOLDER
 *   apply SERVICE OPERATION LISTEN CHECK_PATH|- CHECK_MS WINDOW_MS
 * [VM,ADDRESS,PORT,WEIGHT[,drain]]... remove SERVICE OPERATION
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "node-agent/io/gateway.h"

static void take_server(struct entry_order *order, char *word)
{
    struct entry_server *server = &order->servers[order->servers_count++];
    char *rest = NULL;
    const char *vm = strtok_r(word, ",", &rest);
    const char *address = strtok_r(NULL, ",", &rest);
    const char *port = strtok_r(NULL, ",", &rest);
    const char *weight = strtok_r(NULL, ",", &rest);
    (void)snprintf(server->vm, sizeof server->vm, "%s", vm);
    (void)snprintf(server->address, sizeof server->address, "%s", address);
    server->port = (uint32_t)strtoul(port, NULL, 10);
    server->weight = (uint32_t)strtoul(weight, NULL, 10);
    server->drain = strtok_r(NULL, ",", &rest) != NULL;
}

static void take_command(struct gateway *gateway, char *line)
{
    struct entry_order order = {0};
    struct err err = {0};
    char *words[8 + ENTRY_SERVERS_MAX] = {NULL};
    int count = 0;
    char *rest = NULL;
    for (char *word = strtok_r(line, " \n", &rest);
         word != NULL && count < (int)(sizeof words / sizeof words[0]);
         word = strtok_r(NULL, " \n", &rest)) {
        words[count++] = word;
    }
    if (count < 3) {
        return;
    }
    (void)snprintf(order.service, sizeof order.service, "%s", words[1]);
    order.operation = strtoul(words[2], NULL, 10);
    order.remove = strcmp(words[0], "remove") == 0;
    if (!order.remove && count >= 7) {
        (void)snprintf(order.entry.listen, sizeof order.entry.listen, "%s", words[3]);
        (void)snprintf(order.entry.check_path, sizeof order.entry.check_path, "%s",
                       strcmp(words[4], "-") == 0 ? "" : words[4]);
        order.entry.check_every_ms = (uint32_t)strtoul(words[5], NULL, 10);
        order.window_ms = (uint32_t)strtoul(words[6], NULL, 10);
        for (int i = 7; i < count; i++) {
            take_server(&order, words[i]);
        }
    }
    if (gateway_apply(gateway, &order, clock_boot_ms(), &err) < 0) {
        printf("error %s\n", err.text);
    }
}

static void print_news(struct gateway *gateway)
{
    struct entry_status status;
    struct metrics metrics;
    while (gateway_next_status(gateway, &status)) {
        printf("status %s done=%lu up=%d servers=%u problem=%s\n", status.service,
               (unsigned long)status.operation_done, status.up, status.servers_up,
               status.problem_text);
    }
    while (gateway_next_metrics(gateway, clock_boot_ms(), &metrics)) {
        printf("metrics %s", metrics.metrics[0].name);
        for (uint32_t i = 0; i < metrics.metrics_count; i++) {
            const struct metric *metric = &metrics.metrics[i];
            printf(" %s=%.6g@%u", metric_kind_word(metric->kind), metric->value,
                   metric->age_ms);
        }
        printf("\n");
    }
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    struct gateway *gateway = NULL;
    struct err err = {0};
    const struct gateway_settings settings = {.folder = argc > 1 ? argv[1] : "", NULL};
    if (gateway_open(&gateway, &settings, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    char input[16384];
    size_t used = 0;
    for (;;) {
        struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                               {.fd = gateway_fd(gateway), .events = POLLIN}};
        const int64_t left_ms = gateway_deadline_ms(gateway) - clock_boot_ms();
        (void)poll(fds, 2, left_ms < 0 ? 0 : left_ms < 1000 ? (int)left_ms : 1000);
        if (fds[0].revents != 0) {
            const ssize_t got = read(STDIN_FILENO, input + used, sizeof input - 1 - used);
            if (got <= 0) {
                break;
            }
            used += (size_t)got;
            input[used] = '\0';
            char *end = NULL;
            while ((end = strchr(input, '\n')) != NULL) {
                *end = '\0';
                take_command(gateway, input);
                used -= (size_t)(end + 1 - input);
                memmove(input, end + 1, used + 1);
            }
        }
        gateway_run(gateway, clock_boot_ms());
        print_news(gateway);
    }
    gateway_close(gateway);
    return 0;
}
