// SPDX-License-Identifier: Apache-2.0
#include "node-agent/io/haproxy_config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVER_CONNECTIONS_MAX                                                                 \
    512 /* more wait in HAProxy, where another server can take them */

bool entry_name_is_valid(const char *name)
{
    const size_t size = strnlen(name, NAME_SIZE);
    if (size == 0 || size == NAME_SIZE) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        const char c = name[i];
        const bool edge = i == 0 || i + 1 == size;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              (!edge && (c == '.' || c == '-')))) {
            return false;
        }
    }
    return true;
}

/* 1..65535, digits only; 0 when it is no port. */
static uint16_t port_parse(const char *text)
{
    const size_t size = strlen(text);
    if (size == 0 || size > 5 || strspn(text, "0123456789") != size) {
        return 0;
    }
    const unsigned long port = strtoul(text, NULL, 10);
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

int listen_parse(const char *text, struct sockaddr_storage *out, socklen_t *size)
{
    char host[ADDRESS_SIZE];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host) {
        return -EINVAL;
    }
    const uint16_t port = port_parse(colon + 1);
    const size_t host_size = (size_t)(colon - text);
    memcpy(host, text, host_size);
    host[host_size] = '\0';
    memset(out, 0, sizeof *out);
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    if (port == 0) {
        return -EINVAL;
    }
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *size = sizeof *v4;
        return 0;
    }
    if (host_size < 4 || host[0] != '[' || host[host_size - 1] != ']') {
        return -EINVAL;
    }
    host[host_size - 1] = '\0';
    if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1) {
        return -EINVAL;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    *size = sizeof *v6;
    return 0;
}

static bool check_path_is_safe(const char *path)
{
    const size_t size = strnlen(path, PATH_SIZE);
    if (size == 0 || size == PATH_SIZE) {
        return size == 0;
    }
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)path[i];
        if (!(c < 0x80 && (isalnum(c) != 0 || strchr("/._~-!&()*+,;=:@%?", c) != NULL))) {
            return false;
        }
    }
    return path[0] == '/';
}

static int server_check(const struct entry_server *server, struct err *err)
{
    struct in6_addr address;
    if (!entry_name_is_valid(server->vm)) {
        return err_set(err, -EINVAL, "name of a VM is not valid");
    }
    if (inet_pton(AF_INET, server->address, &address) != 1 &&
        inet_pton(AF_INET6, server->address, &address) != 1) {
        return err_set(err, -EINVAL, "VM %s: address \"%s\" is no IP address", server->vm,
                       server->address);
    }
    if (server->port == 0 || server->port > UINT16_MAX) {
        return err_set(err, -EINVAL, "VM %s: port %" PRIu32 " is not in 1..65535", server->vm,
                       server->port);
    }
    if (server->weight == 0 || server->weight > SERVER_WEIGHT_MAX) {
        return err_set(err, -EINVAL, "VM %s: weight %" PRIu32 " is not in 1..%d", server->vm,
                       server->weight, SERVER_WEIGHT_MAX);
    }
    return 0;
}

static int servers_check(const struct entry_order *order, struct err *err)
{
    if (order->servers_count > ENTRY_SERVERS_MAX) {
        return err_set(err, -EINVAL, "%" PRIu32 " servers, at most %d are possible",
                       order->servers_count, ENTRY_SERVERS_MAX);
    }
    for (uint32_t i = 0; i < order->servers_count; i++) {
        const int rc = server_check(&order->servers[i], err);
        if (rc < 0) {
            return rc;
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(order->servers[i].vm, order->servers[j].vm) == 0) {
                return err_set(err, -EINVAL, "VM %s is there twice", order->servers[i].vm);
            }
        }
    }
    return 0;
}

int haproxy_order_check(struct entry_order *order, struct err *err)
{
    if (order->remove) {
        return 0;
    }
    struct sockaddr_storage address;
    socklen_t address_size = 0;
    struct entry *entry = &order->entry;
    if (listen_parse(entry->listen, &address, &address_size) < 0) {
        return err_set(err, -EINVAL,
                       "entry.listen: \"%s\" is no IP address and port such as 10.0.8.10:80",
                       entry->listen);
    }
    if (!check_path_is_safe(entry->check_path)) {
        return err_set(err, -EINVAL, "entry.check_path: \"%s\" is no plain path of a URL",
                       entry->check_path);
    }
    const uint32_t every_ms =
        entry->check_every_ms != 0 ? entry->check_every_ms : CHECK_EVERY_MS_DEFAULT;
    if (every_ms < CHECK_EVERY_MS_MIN || every_ms > CHECK_EVERY_MS_MAX) {
        return err_set(err, -EINVAL, "entry.check_every: %" PRIu32 " ms is not in %d..%d",
                       every_ms, CHECK_EVERY_MS_MIN, CHECK_EVERY_MS_MAX);
    }
    const uint32_t window_ms = order->window_ms != 0 ? order->window_ms : WINDOW_MS_DEFAULT;
    if (window_ms < WINDOW_MS_MIN || window_ms > WINDOW_MS_MAX) {
        return err_set(err, -EINVAL, "window: %" PRIu32 " ms is not in %d..%d", window_ms,
                       WINDOW_MS_MIN, WINDOW_MS_MAX);
    }
    const int rc = servers_check(order, err);
    if (rc < 0) {
        return rc;
    }
    entry->check_every_ms = every_ms;
    order->window_ms = window_ms;
    return 0;
}

void haproxy_server_address(const struct entry_server *server, char out[SERVER_NAME_SIZE])
{
    const bool v6 = strchr(server->address, ':') != NULL;
    (void)snprintf(out, SERVER_NAME_SIZE, v6 ? "[%s]:%" PRIu32 : "%s:%" PRIu32, server->address,
                   server->port);
}

void haproxy_server_name(const struct entry_server *server, char out[SERVER_NAME_SIZE])
{
    (void)snprintf(out, SERVER_NAME_SIZE, "%s_%s:%" PRIu32, server->vm, server->address,
                   server->port);
}

void haproxy_server_options(const struct entry_order *order, char *out, size_t size)
{
    /* An idle connection holds up the deletion of its server: let it go soon. */
    (void)snprintf(out, size,
                   "check inter %" PRIu32 " fall 2 rise 1 maxconn %d pool-purge-delay 1s",
                   order->entry.check_every_ms, SERVER_CONNECTIONS_MAX);
}

struct text {
    char *start;
    size_t used;
    size_t size;
};

static void put(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int added =
        vsnprintf(text->start + text->used, text->size - text->used, format, args);
    va_end(args);
    /* Sizes are bounded: 64 servers of at most 350 characters and 2 KiB around them. */
    text->used += added > 0 ? (size_t)added : 0;
}

static void put_global(struct text *text, const struct haproxy_host *host)
{
    put(text,
        "    maxconn %" PRIu32 "\n"
        "    nbthread %" PRIu32 "\n"
        "    noreuseport\n" /* else two services could share a port, in silence */
        "    hard-stop-after 60s\n"
        "    stats socket unix@admin.sock mode 600 level admin\n",
        host->connections_max, host->threads);
    if (host->drop_privileges) {
        put(text, "    user haproxy\n    group haproxy\n");
    }
}

static void put_sections(struct text *text, const struct entry_order *order)
{
    char options[TEXT_SIZE];
    haproxy_server_options(order, options, sizeof options);
    put(text,
        "defaults common\n"
        "    mode http\n"
        "    timeout connect 2s\n"
        "    timeout client 60s\n"
        "    timeout server 60s\n"
        "    timeout queue 30s\n"
        "    timeout http-request 10s\n"
        "    timeout http-keep-alive 10s\n"
        "    timeout tunnel 1h\n"
        "    retries 3\n"
        "    option redispatch 1\n"
        "    option dontlognull\n"
        "    option forwardfor\n"
        /* An old worker lets its users ask once more after a reload, and then says "close". */
        "    option idle-close-on-response\n"
        "frontend entry from common\n"
        "    bind %s\n"
        "    log unix@log.sock len 512 format raw local0\n"
        "    log-format \"R %%Ta %%ST %%ts %%s\"\n"
        "    default_backend servers\n"
        "backend servers from common\n"
        "    balance roundrobin\n"
        "    default-server %s\n",
        order->entry.listen, options);
    if (order->entry.check_path[0] != '\0') {
        put(text,
            "    option httpchk\n"
            "    http-check send meth GET uri %s\n"
            "    http-check expect rstatus ^[23]\n",
            order->entry.check_path);
    }
}

static void put_servers(struct text *text, const struct entry_order *order)
{
    for (uint32_t i = 0; i < order->servers_count; i++) {
        const struct entry_server *server = &order->servers[i];
        char name[SERVER_NAME_SIZE];
        char address[SERVER_NAME_SIZE];
        haproxy_server_name(server, name);
        haproxy_server_address(server, address);
        put(text, "    server %s %s weight %" PRIu32 "\n", name, address, server->weight);
    }
}

uint64_t haproxy_text_hash(const char *text)
{
    uint64_t hash = 14695981039346656037u;
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    }
    return hash;
}

size_t haproxy_config_write(const struct entry_order *order, const struct haproxy_host *host,
                            char out[HAPROXY_CONFIG_SIZE], char frame[FRAME_SIZE])
{
    char frame_text[4096];
    struct text inner = {frame_text, 0, sizeof frame_text};
    put_global(&inner, host);
    put_sections(&inner, order);
    (void)snprintf(frame, FRAME_SIZE, "%016" PRIx64, haproxy_text_hash(frame_text));

    out[0] = '\0';
    struct text text = {out, 0, HAPROXY_CONFIG_SIZE};
    put(&text,
        "# Entry point of service %s. Written by arbiter-agent; changes here are lost.\n"
        "global\n"
        "    description %s %s\n"
        "%s",
        order->service, frame, order->entry.listen, frame_text);
    put_servers(&text, order);
    return text.used;
}
