// SPDX-License-Identifier: Apache-2.0
// link: arbiter_common
/*
 * The token bucket of an interface, set by us and shown by tc, in a network of this test's own.
 * Skipped without the right to make one.
 */
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

#include "node-agent/io/driver/rates_link.c"
#include "tests/threads/require.h"

#define LINK "vif3.0"

static bool tc_shows(const char *what)
{
    char line[512] = "";
    FILE *tc = popen("tc qdisc show dev " LINK, "re"); // NOLINT(cert-env33-c): a test
    REQUIRE(tc != NULL);
    bool found = false;
    while (fgets(line, sizeof line, tc) != NULL) {
        found = found || strstr(line, what) != NULL;
    }
    (void)pclose(tc);
    return found;
}

int main(void)
{
    struct err err = {0};
    uint64_t kib_s = 7;
    if (unshare(CLONE_NEWNET) != 0 ||
        // NOLINTNEXTLINE(cert-env33-c): a test
        system("ip link add " LINK " type veth peer name guest && ip link set " LINK " up") !=
            0) {
        (void)printf("skipped: no network of our own here\n");
        return 77;
    }
    REQUIRE(rates_link_get("vif4.0", &kib_s, &err) == -ENODEV);
    REQUIRE(rates_link_get(LINK, &kib_s, &err) == 0 && kib_s == 0);
    REQUIRE(rates_link_set(LINK, 0, &err) == 0);
    REQUIRE(rates_link_set(LINK, 1000, &err) == 0);
    REQUIRE(tc_shows("tbf a000: root") && tc_shows("rate 8192Kbit"));
    REQUIRE(rates_link_get(LINK, &kib_s, &err) == 0 && kib_s == 1000);
    REQUIRE(rates_link_set(LINK, 131072, &err) == 0);
    REQUIRE(tc_shows("rate 1073741824bit") || tc_shows("rate 1073Mbit"));
    REQUIRE(rates_link_get(LINK, &kib_s, &err) == 0 && kib_s == 131072);
    REQUIRE(rates_link_set(LINK, UINT64_MAX / 2, &err) == -EINVAL);
    REQUIRE(rates_link_set(LINK, 0, &err) == 0);
    REQUIRE(!tc_shows("tbf"));
    REQUIRE(rates_link_get(LINK, &kib_s, &err) == 0 && kib_s == 0);
    (void)printf("a token bucket is set, changed, read back and taken away\n");
    return EXIT_SUCCESS;
}
