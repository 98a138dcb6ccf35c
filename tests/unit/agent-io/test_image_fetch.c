// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node-agent/io/image_cache.h"
#include "node-agent/io/image_fetch.h"

/* "hello\n" */
#define HELLO_SUM "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
/* no bytes at all */
#define EMPTY_SUM "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static char folder[64];
static char cache[128];
static char source[128];
static char url[160];

static void set_up(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/arbiter-images-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(cache, sizeof cache, "%s/cache", folder);
    (void)snprintf(source, sizeof source, "%s/source", folder);
    (void)snprintf(url, sizeof url, "file://%s", source);
    FILE *file = fopen(source, "we");
    (void)fputs("hello\n", file);
    (void)fclose(file);
}

static void tear_down(void)
{
    static const char *const names[] = {"cache/" HELLO_SUM, "cache/" EMPTY_SUM, "cache",
                                        "source"};
    char path[512];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)remove(path); /* some were never made */
    }
    cr_assert_eq(rmdir(folder), 0, "something unexpected is left behind");
}

static struct image_fetch *make_fetch(void)
{
    const char *build = getenv("ARBITER_BUILD");
    cr_assert_not_null(build);
    char modules[512];
    struct err err = {0};
    (void)snprintf(modules, sizeof modules, "%s/lib/arbiter", build);
    struct image_fetch *fetch = image_fetch_create(cache, modules, 1024, &err);
    cr_assert_not_null(fetch, "%s", err.text);
    return fetch;
}

static struct image_result wait_for_result(struct image_fetch *fetch)
{
    struct image_result result;
    while (image_fetch_result(fetch, &result) == 0) {
        struct pollfd item = {.fd = image_fetch_fd(fetch), .events = POLLIN};
        cr_assert_eq(poll(&item, 1, 20000), 1, "no result came");
    }
    return result;
}

Test(image_fetch, a_file_with_the_right_sum_is_cached_under_it, .init = set_up,
     .fini = tear_down)
{
    struct image_fetch *fetch = make_fetch();
    struct err err = {0};
    cr_assert_eq(image_fetch_request(fetch, "web", url, HELLO_SUM, &err), 0, "%s", err.text);
    struct image_result result = wait_for_result(fetch);
    cr_assert_eq(result.code, 0, "%s", result.text);
    cr_assert_str_eq(result.image, "web");
    cr_assert_eq(result.reason, REASON_NONE);
    cr_assert_eq(access(result.path, R_OK), 0);
    cr_assert_not_null(strstr(result.path, HELLO_SUM));
    /* The second time it comes from the cache: the source may be gone. */
    cr_assert_eq(unlink(source), 0);
    cr_assert_eq(image_fetch_request(fetch, "web", url, HELLO_SUM, &err), 0);
    result = wait_for_result(fetch);
    cr_assert_eq(result.code, 0, "%s", result.text);
    image_fetch_destroy(fetch);
}

Test(image_fetch, a_damaged_file_in_the_cache_is_fetched_again, .init = set_up,
     .fini = tear_down)
{
    char path[512];
    cr_assert_eq(mkdir(cache, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/%s", cache, HELLO_SUM);
    FILE *file = fopen(path, "we");
    (void)fputs("hellx\n", file);
    (void)fclose(file);
    struct image_fetch *fetch = make_fetch();
    cr_assert_eq(image_fetch_request(fetch, "web", url, HELLO_SUM, NULL), 0);
    struct image_result result = wait_for_result(fetch);
    cr_assert_eq(result.code, 0, "%s", result.text);
    char text[16] = "";
    file = fopen(path, "re");
    cr_assert_not_null(fgets(text, sizeof text, file));
    (void)fclose(file);
    cr_assert_str_eq(text, "hello\n");
    image_fetch_destroy(fetch);
}

Test(image_fetch, a_wrong_sum_leaves_nothing_in_the_cache, .init = set_up, .fini = tear_down)
{
    struct image_fetch *fetch = make_fetch();
    cr_assert_eq(image_fetch_request(fetch, "web", url, EMPTY_SUM, NULL), 0);
    struct image_result result = wait_for_result(fetch);
    cr_assert_eq(result.reason, REASON_IMAGE_CHECKSUM);
    cr_assert_neq(result.code, 0);
    cr_assert_str_eq(result.path, "");
    cr_assert_eq(rmdir(cache), 0, "the cache is empty");
    image_fetch_destroy(fetch);
}

Test(image_fetch, a_missing_source_is_said_with_its_address, .init = set_up, .fini = tear_down)
{
    struct image_fetch *fetch = make_fetch();
    cr_assert_eq(image_fetch_request(fetch, "web", "file:///nowhere/x", HELLO_SUM, NULL), 0);
    struct image_result result = wait_for_result(fetch);
    cr_assert_eq(result.reason, REASON_IMAGE_MISSING);
    cr_assert_not_null(strstr(result.text, "file:///nowhere/x"));
    cr_assert_eq(image_fetch_request(fetch, "web", "ftp://localhost/x", HELLO_SUM, NULL), 0);
    result = wait_for_result(fetch);
    cr_assert_eq(result.reason, REASON_IMAGE_MISSING, "only file, http and https");
    image_fetch_destroy(fetch);
}

Test(image_fetch, a_sum_that_is_none_never_becomes_a_path, .init = set_up, .fini = tear_down)
{
    struct image_fetch *fetch = make_fetch();
    struct err err = {0};
    cr_assert_eq(image_fetch_request(fetch, "web", url, "../../etc/passwd", &err), -EINVAL);
    image_fetch_refuse(fetch, "web", &err);
    struct image_result result = wait_for_result(fetch);
    cr_assert_eq(result.code, -EINVAL);
    image_fetch_destroy(fetch);
}

Test(image_cache, the_least_recently_used_go_first, .init = set_up, .fini = tear_down)
{
    static const char *const names[] = {HELLO_SUM, EMPTY_SUM};
    char path[512];
    cr_assert_eq(mkdir(cache, 0700), 0);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", cache, names[i]);
        FILE *file = fopen(path, "we");
        cr_assert_eq(ftruncate(fileno(file), 1 << 20), 0);
        struct timespec times[2] = {{.tv_sec = 1000 - i}, {.tv_sec = 1000 - i}};
        cr_assert_eq(futimens(fileno(file), times), 0);
        (void)fclose(file);
    }
    (void)snprintf(path, sizeof path, "%s/%s.part", cache, HELLO_SUM);
    (void)fclose(fopen(path, "we"));
    image_cache_trim(cache, 1024, "");
    cr_assert_neq(access(path, F_OK), 0, "unfinished files go");
    (void)snprintf(path, sizeof path, "%s/%s", cache, HELLO_SUM);
    cr_assert_eq(access(path, F_OK), 0, "the newer one stays");
    (void)snprintf(path, sizeof path, "%s/%s", cache, EMPTY_SUM);
    cr_assert_neq(access(path, F_OK), 0, "the older one went");
    image_cache_trim(cache, 0, HELLO_SUM);
    (void)snprintf(path, sizeof path, "%s/%s", cache, HELLO_SUM);
    cr_assert_eq(access(path, F_OK), 0, "what is needed now stays");
}
