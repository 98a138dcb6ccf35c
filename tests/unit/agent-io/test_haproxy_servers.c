// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "node-agent/io/haproxy_servers.h"

static struct entry_order order_of(uint32_t count)
{
    struct entry_order order = {.operation = 1, .service = "shop"};
    (void)snprintf(order.entry.listen, sizeof order.entry.listen, "10.0.8.10:80");
    for (uint32_t i = 0; i < count; i++) {
        struct entry_server *server = &order.servers[i];
        (void)snprintf(server->vm, sizeof server->vm, "web-%u", i + 1);
        (void)snprintf(server->address, sizeof server->address, "10.0.0.%u", i + 1);
        server->port = 80;
        server->weight = 10;
    }
    order.servers_count = count;
    cr_assert_eq(haproxy_order_check(&order, NULL), 0);
    return order;
}

static struct server_table table;
static char commands[SERVER_COMMANDS_SIZE];

/* A table as HAProxy prints it: "name sessions status weight" each. */
static void show(const char *const rows[])
{
    server_table_start(&table);
    server_table_line(&table, "# pxname,svname,qcur,scur,status,weight,uweight,");
    for (int i = 0; rows[i] != NULL; i++) {
        char name[64];
        char status[16];
        unsigned sessions = 0;
        unsigned weight = 0;
        char line[256];
        cr_assert_eq(sscanf(rows[i], "%63s %u %15s %u", name, &sessions, status, &weight), 4);
        (void)snprintf(line, sizeof line, "servers,%s,0,%u,%s,0,%u,", name, sessions, status,
                       weight);
        server_table_line(&table, line);
    }
}

Test(haproxy_servers, servers_as_ordered_need_nothing)
{
    const struct entry_order order = order_of(2);
    show((const char *const[]){"web-1_10.0.0.1:80 3 UP 10", "web-2_10.0.0.2:80 0 UP 10", NULL});
    cr_assert(server_plan(&table, &order, commands));
    cr_assert_str_eq(commands, "");
    cr_assert_eq(server_table_up(&table), 2);
}

Test(haproxy_servers, new_server_is_down_until_its_first_check)
{
    const struct entry_order order = order_of(1);
    show((const char *const[]){NULL});
    cr_assert_not(server_plan(&table, &order, commands));
    cr_assert_not_null(strstr(commands, "add server servers/web-1_10.0.0.1:80 10.0.0.1:80 "
                                        "weight 10 check inter 2000"));
    const char *down = strstr(commands, "set server servers/web-1_10.0.0.1:80 health down");
    const char *ready = strstr(commands, "set server servers/web-1_10.0.0.1:80 state ready");
    cr_assert(down != NULL && ready != NULL && down < ready);
}

Test(haproxy_servers, weight_is_set_without_anything_else)
{
    struct entry_order order = order_of(1);
    order.servers[0].weight = 77;
    show((const char *const[]){"web-1_10.0.0.1:80 3 UP 10", NULL});
    cr_assert_not(server_plan(&table, &order, commands));
    cr_assert_str_eq(commands, "set server servers/web-1_10.0.0.1:80 weight 77");
}

Test(haproxy_servers, who_leaves_with_requests_drains_and_is_not_cut_off)
{
    const struct entry_order order = order_of(0);
    show((const char *const[]){"web-1_10.0.0.1:80 3 UP 10", NULL});
    cr_assert_not(server_plan(&table, &order, commands));
    cr_assert_str_eq(commands, "set server servers/web-1_10.0.0.1:80 state drain");
    show((const char *const[]){"web-1_10.0.0.1:80 3 DRAIN 10", NULL});
    cr_assert(server_plan(&table, &order, commands));
    cr_assert_str_eq(commands, "");
}

Test(haproxy_servers, only_the_sessions_of_a_dead_server_are_ended)
{
    const struct entry_order order = order_of(0);
    show((const char *const[]){"web-1_10.0.0.1:80 3 DOWN 10", NULL});
    cr_assert(server_plan(&table, &order, commands));
    cr_assert_not_null(strstr(commands, "shutdown sessions server servers/web-1_10.0.0.1:80"));
    cr_assert_not_null(strstr(commands, "del server servers/web-1_10.0.0.1:80"));
    show((const char *const[]){"web-1_10.0.0.1:80 0 UP 10", NULL});
    cr_assert_not(server_plan(&table, &order, commands));
    cr_assert_null(strstr(commands, "shutdown"));
    cr_assert_not_null(strstr(commands, "del server servers/web-1_10.0.0.1:80"));
}

Test(haproxy_servers, vm_that_comes_back_elsewhere_leaves_before_it_is_added)
{
    struct entry_order order = order_of(1);
    (void)snprintf(order.servers[0].address, sizeof order.servers[0].address, "10.0.9.9");
    show((const char *const[]){"web-1_10.0.0.1:80 0 DOWN 10", NULL});
    cr_assert_not(server_plan(&table, &order, commands));
    const char *leaves = strstr(commands, "del server servers/web-1_10.0.0.1:80");
    const char *comes = strstr(commands, "add server servers/web-1_10.0.9.9:80");
    cr_assert(leaves != NULL && comes != NULL && leaves < comes);
}

Test(haproxy_servers, more_servers_than_one_line_takes_come_in_several_rounds)
{
    const struct entry_order order = order_of(ENTRY_SERVERS_MAX);
    show((const char *const[]){NULL});
    cr_assert_not(server_plan(&table, &order, commands));
    cr_assert_lt(strlen(commands), SERVER_COMMANDS_SIZE);
    cr_assert_not_null(strstr(commands, "web-20_"));
    const char *last = strrchr(commands, ';');
    cr_assert_str_eq(last + strlen(last) - 6, " ready", "a command was cut");
}

Test(haproxy_servers, largest_order_fits_into_the_configuration)
{
    static struct entry_order order;
    static char text[HAPROXY_CONFIG_SIZE];
    char frame[FRAME_SIZE];
    order = order_of(ENTRY_SERVERS_MAX);
    for (uint32_t i = 0; i < ENTRY_SERVERS_MAX; i++) {
        struct entry_server *server = &order.servers[i];
        memset(server->vm, 'a', NAME_SIZE - 3);
        (void)snprintf(server->vm + NAME_SIZE - 3, 3, "%02u", i);
        (void)snprintf(server->address, sizeof server->address,
                       "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ff%02u", i);
        server->port = 65535;
        server->weight = 256;
    }
    memset(order.entry.check_path, 'x', PATH_SIZE - 1);
    order.entry.check_path[0] = '/';
    cr_assert_eq(haproxy_order_check(&order, NULL), 0);
    const struct haproxy_host host = {true, 105, 8000, 4};
    const size_t size = haproxy_config_write(&order, &host, text, frame);
    cr_assert_eq(size, strlen(text));
    cr_assert_not_null(strstr(text, "ff63]:65535 weight 256\n"));
}

Test(haproxy_servers, nothing_of_an_order_can_become_configuration)
{
    const char *const listens[] = {"10.0.0.1",        "10.0.0.1:",           ":80",
                                   "10.0.0.1:0",      "10.0.0.1:65536",      "host:80",
                                   "10.0.0.1:80 ssl", "10.0.0.1:80\nglobal", "fd00::1:80",
                                   "[fd00::1:80",     "/tmp/x:80",           ""};
    const char *const paths[] = {"x",    "/a b", "/a\nb",  "/a\"", "/a'",
                                 "/a\\", "/a#",  "/$HOME", "/\xc3"};
    const char *const addresses[] = {"", "host", "10.0.0.1:80", "10.0.0.1 disabled", "/run/x"};
    const char *const names[] = {"", "A", "a b", "-a", "a-", "a/b", "a\n", "a;show"};
    for (size_t i = 0; i < sizeof listens / sizeof listens[0]; i++) {
        struct entry_order order = order_of(1);
        (void)snprintf(order.entry.listen, sizeof order.entry.listen, "%s", listens[i]);
        cr_assert_eq(haproxy_order_check(&order, NULL), -22, "listen %s", listens[i]);
    }
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct entry_order order = order_of(1);
        (void)snprintf(order.entry.check_path, sizeof order.entry.check_path, "%s", paths[i]);
        cr_assert_eq(haproxy_order_check(&order, NULL), -22, "path %s", paths[i]);
    }
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct entry_order order = order_of(1);
        (void)snprintf(order.servers[0].address, ADDRESS_SIZE, "%s", addresses[i]);
        cr_assert_eq(haproxy_order_check(&order, NULL), -22, "address %s", addresses[i]);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct entry_order order = order_of(1);
        (void)snprintf(order.servers[0].vm, NAME_SIZE, "%s", names[i]);
        cr_assert_eq(haproxy_order_check(&order, NULL), -22, "name %s", names[i]);
    }
}

Test(haproxy_servers, frame_changes_with_the_address_and_not_with_the_servers)
{
    static char text[HAPROXY_CONFIG_SIZE];
    const struct haproxy_host host = {false, 0, 1000, 2};
    char one[FRAME_SIZE];
    char two[FRAME_SIZE];
    struct entry_order order = order_of(1);
    (void)haproxy_config_write(&order, &host, text, one);
    struct entry_order more = order_of(3);
    more.servers[0].weight = 200;
    (void)haproxy_config_write(&more, &host, text, two);
    cr_assert_str_eq(one, two);
    (void)snprintf(more.entry.listen, sizeof more.entry.listen, "10.0.8.11:80");
    (void)haproxy_config_write(&more, &host, text, two);
    cr_assert_str_neq(one, two);
}
