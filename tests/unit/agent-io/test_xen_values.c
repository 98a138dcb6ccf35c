// SPDX-License-Identifier: Apache-2.0
/* What the xen driver decides without Xen: settings, marks, sizes, capacity, log lines. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "node-agent/io/driver/guest_kernel.c"
#include "node-agent/io/xen/balloon.c"
#include "node-agent/io/xen/domain_mark.c"
#include "node-agent/io/xen/guest_values.c"
#include "node-agent/io/xen/log_lines.c"
#include "node-agent/io/xen/xen_settings.c"

Test(xen_settings, without_text_has_defaults)
{
    struct xen_settings settings;
    cr_assert_eq(xen_settings_parse("", &settings, NULL), 0);
    cr_assert_eq(settings.tsc_mode, XEN_TSC_DEFAULT);
    cr_assert_eq(settings.reserve_cpu_pct, 25u);
    cr_assert_eq(settings.reserve_memory_kib, 65536u);
}

Test(xen_settings, takes_all_of_its_keys)
{
    struct xen_settings settings;
    const char *text = "tsc_mode=native,reserve_cpu=50,reserve_memory=128,balloon_still=20,"
                       "migrate=yes";
    cr_assert_eq(xen_settings_parse(text, &settings, NULL), 0);
    cr_assert_eq(settings.tsc_mode, XEN_TSC_NATIVE);
    cr_assert_eq(settings.reserve_cpu_pct, 50u);
    cr_assert_eq(settings.reserve_memory_kib, 131072u);
    cr_assert_eq(settings.balloon_still_ms, 20000);
    cr_assert(settings.migrates);
}

Test(xen_settings, tells_every_mistake_and_changes_nothing)
{
    struct xen_settings settings = {.reserve_cpu_pct = 7};
    struct err err = {0};
    const char *text = "tsc_mode=fast,reserve_cpu=-1,colour=red,alone,balloon_still=0";
    cr_assert_eq(xen_settings_parse(text, &settings, &err), -EINVAL);
    cr_assert_eq(settings.reserve_cpu_pct, 7u);
    static const char *const words[] = {"tsc_mode", "reserve_cpu", "colour", "alone",
                                        "balloon_still"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        cr_assert(strstr(err.text, words[i]) != NULL, "%s in: %s", words[i], err.text);
    }
}

static struct domain_mark mark_of_web(void)
{
    return (struct domain_mark){.made = true,
                                .node = "node-1",
                                .vm = "web-1",
                                .generation = 18446744073709551615u,
                                .address = "10.0.0.11/24"};
}

Test(domain_mark, comes_back_as_it_was_written)
{
    struct domain_mark mark = mark_of_web();
    struct domain_mark back;
    char text[DOMAIN_MARK_SIZE];
    cr_assert_eq(domain_mark_format(&mark, text), 0);
    cr_assert_str_eq(text, "1 made node-1 web-1 18446744073709551615 10.0.0.11/24 -");
    cr_assert_eq(domain_mark_parse(text, &back), 0);
    cr_assert(back.made);
    cr_assert_str_eq(back.vm, "web-1");
    cr_assert_str_eq(back.address, "10.0.0.11/24");
    cr_assert_str_eq(back.gateway, "");
    cr_assert_eq(back.generation, mark.generation);
}

Test(domain_mark, of_what_is_half_made_says_so)
{
    struct domain_mark mark = mark_of_web();
    struct domain_mark back;
    char text[DOMAIN_MARK_SIZE];
    mark.made = false;
    cr_assert_eq(domain_mark_format(&mark, text), 0);
    cr_assert_eq(domain_mark_parse(text, &back), 0);
    cr_assert_not(back.made);
}

Test(domain_mark, with_a_blank_in_a_value_is_not_written)
{
    struct domain_mark mark = mark_of_web();
    char text[DOMAIN_MARK_SIZE];
    (void)snprintf(mark.vm, sizeof mark.vm, "web 1");
    cr_assert_eq(domain_mark_format(&mark, text), -EINVAL);
}

Test(domain_mark, of_others_is_refused)
{
    static const char *const others[] = {
        "",
        "hello",
        "2 made node-1 web-1 7 - -",
        "1 torn node-1 web-1 7 - -",
        "1 made node-1 web-1 -7 - -",
        "1 made node-1 web-1 7x - -",
        "1 made node-1 web-1 99999999999999999999 - -",
        "1 made node-1 web-1 7 -",
        "1 made node-1 web-1 7 - - more",
        "1 made - web-1 7 - -",
        "1 made node-1 web\t1 7 - -",
        "1 made node-1 web-1 7 10.0.0.11/24 \xff\x7e",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct domain_mark mark;
        cr_assert_eq(domain_mark_parse(others[i], &mark), -EINVAL, "\"%s\"", others[i]);
    }
}

static struct vm_order order_of_web(void)
{
    return (struct vm_order){.vm = "web-1",
                             .uuid = "11111111-2222-4333-8444-a1b2c3d4e5f6",
                             .kernel = "/boot/vmlinuz",
                             .command_line = "root=/dev/xvda ro",
                             .cap_pct = 40,
                             .weight = 256,
                             .vcpus = 1,
                             .vcpus_max = 2,
                             .memory_kib = 65536,
                             .memory_max_kib = 131072,
                             .port = 8080};
}

Test(guest_values, most_is_never_below_what_it_starts_with)
{
    struct vm_order order = order_of_web();
    order.vcpus = 4;
    order.memory_kib = 262144;
    struct guest_size size = guest_size_of(&order);
    cr_assert_eq(size.vcpus_max, 4u);
    cr_assert_eq(size.memory_max_kib, 262144u);
}

Test(guest_values, mac_is_of_xen_and_follows_the_uuid)
{
    static const uint8_t wanted[GUEST_MAC_BYTES] = {0x00, 0x16, 0x3e, 0xd4, 0xe5, 0xf6};
    uint8_t mac[GUEST_MAC_BYTES];
    guest_mac(order_of_web().uuid, mac);
    cr_assert_eq(memcmp(mac, wanted, sizeof mac), 0);
}

Test(guest_values, command_line_says_who_the_guest_is)
{
    struct vm_order order = order_of_web();
    char line[GUEST_COMMAND_LINE_SIZE];
    guest_command_line(&order, "10.0.0.11/22", "10.0.0.1", line);
    cr_assert_str_eq(line, "root=/dev/xvda ro arbiter.vm=web-1 arbiter.address=10.0.0.11/22 "
                           "ip=10.0.0.11::10.0.0.1:255.255.252.0:web-1:eth0:off "
                           "arbiter.gateway=10.0.0.1 arbiter.port=8080");
}

Test(guest_values, address_of_the_image_is_kept)
{
    struct vm_order order = order_of_web();
    char line[GUEST_COMMAND_LINE_SIZE];
    (void)snprintf(order.command_line, sizeof order.command_line, "ro ip=dhcp");
    guest_command_line(&order, "10.0.0.11/24", "", line);
    cr_assert_str_eq(line, "ro ip=dhcp arbiter.vm=web-1 arbiter.address=10.0.0.11/24 "
                           "arbiter.port=8080");
}

Test(guest_values, every_mistake_is_told)
{
    struct vm_order order = {.vm = "web-1", .image = "web"};
    struct err err = {0};
    cr_assert_eq(guest_values_check(&order, &err), -EINVAL);
    static const char *const words[] = {"image web names no kernel", "no memory", "no VCPUs",
                                        "cap of 0", "weight 0"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        cr_assert(strstr(err.text, words[i]) != NULL, "%s in: %s", words[i], err.text);
    }
    order = order_of_web();
    cr_assert_eq(guest_values_check(&order, NULL), 0);
}

Test(log_lines, lose_the_places_in_the_source)
{
    cr_assert_str_eq(
        log_lines_message("libxl_dom.c:530:libxl__build_pv: Domain 3:image not found: ENOENT"),
        "Domain 3:image not found: ENOENT");
    cr_assert_str_eq(log_lines_message("panic: xc_dom_boot.c: no"), "panic: xc_dom_boot.c: no");
    cr_assert_str_eq(log_lines_message("a.c:b"), "a.c:b");
    cr_assert_str_eq(log_lines_message(""), "");
}

Test(log_lines, keep_the_first_ones_once_and_end_in_time)
{
    struct log_lines lines;
    log_lines_clear(&lines);
    log_lines_add(&lines, "libxl_create.c:1:f: cause\n");
    log_lines_add(&lines, "libxl_create.c:2:g: cause");
    log_lines_add(&lines, "then\tthis");
    log_lines_add(&lines, "");
    cr_assert_str_eq(lines.text, "cause; then this");
    for (int i = 0; i < 100; i++) {
        char line[32];
        (void)snprintf(line, sizeof line, "another line %d of many", i);
        log_lines_add(&lines, line);
    }
    cr_assert_eq(strlen(lines.text), LOG_LINES_SIZE - 1u);
    cr_assert_eq(lines.length, LOG_LINES_SIZE - 1u);
}

Test(balloon, at_or_below_its_target_is_there)
{
    struct balloon balloon;
    balloon_start(&balloon, 1000);
    cr_assert_eq(balloon_look(&balloon, 65536, 65536, 0), BALLOON_THERE);
    cr_assert_eq(balloon_look(&balloon, 65536 + BALLOON_SLACK_KIB, 65536, 0), BALLOON_THERE);
    cr_assert_eq(balloon_look(&balloon, 50000, 65536, 0), BALLOON_THERE);
}

Test(balloon, that_moves_is_waited_for_and_one_that_stopped_is_stuck)
{
    struct balloon balloon;
    balloon_start(&balloon, 1000);
    cr_assert_eq(balloon_look(&balloon, 98304, 65536, 5000), BALLOON_MOVES);
    cr_assert_eq(balloon_look(&balloon, 98304, 65536, 5999), BALLOON_MOVES);
    cr_assert_eq(balloon_look(&balloon, 90000, 65536, 6900), BALLOON_MOVES);
    cr_assert_eq(balloon_look(&balloon, 90000, 65536, 7899), BALLOON_MOVES);
    cr_assert_eq(balloon_look(&balloon, 90000, 65536, 7900), BALLOON_STUCK);
}
