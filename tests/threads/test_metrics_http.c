// SPDX-License-Identifier: Apache-2.0
// link: arbiter_orchestrator_io
/* Many scrapers at once against a loop that hands pages over: each gets a whole page, a page is
 * asked for at most once a second, and stopping answers those who still wait. */
#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "orchestrator/io/metrics_http.h"

#define SCRAPERS 8
#define SCRAPES  20

static unsigned port;
static atomic_int served;
static atomic_int refused;

static int open_connection(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(fd >= 0);
    assert(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* Status of one GET; whether the page ended as pages do. */
static int scrape(bool *whole)
{
    static const char request[] =
        "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    char text[65536];
    size_t used = 0;
    int fd = open_connection();
    assert(send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1);
    for (;;) {
        ssize_t got = recv(fd, text + used, sizeof text - 1 - used, 0);
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
    }
    (void)close(fd);
    text[used] = '\0';
    int status = 0;
    (void)sscanf(text, "HTTP/1.1 %d", &status);
    *whole = strstr(text, "arbiter_build_info{") != NULL &&
             strstr(text, "arbiter_messages_unsent_total 0\n") != NULL;
    return status;
}

static void *scraper(void *context)
{
    (void)context;
    for (int i = 0; i < SCRAPES; i++) {
        bool whole = false;
        int status = scrape(&whole);
        if (status == 200) {
            assert(whole);
            (void)atomic_fetch_add(&served, 1);
        } else {
            assert(status == 503);
            (void)atomic_fetch_add(&refused, 1);
        }
    }
    return NULL;
}

static struct metrics_page *make_page(void)
{
    const struct metrics_rows rows = {0};
    return metrics_page_create(&rows);
}

static bool wait_for_wish(struct metrics_http *http, int limit_ms)
{
    struct pollfd item = {.fd = metrics_http_fd(http), .events = POLLIN};
    return poll(&item, 1, limit_ms) == 1 && metrics_http_wanted(http);
}

static int serve_all(struct metrics_http *http)
{
    pthread_t threads[SCRAPERS];
    int pages = 0;
    for (int i = 0; i < SCRAPERS; i++) {
        assert(pthread_create(&threads[i], NULL, scraper, NULL) == 0);
    }
    while (atomic_load(&served) + atomic_load(&refused) < SCRAPERS * SCRAPES) {
        if (wait_for_wish(http, 20)) {
            metrics_http_give(http, make_page());
            pages++;
        }
    }
    for (int i = 0; i < SCRAPERS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    return pages;
}

struct one_scrape {
    pthread_t thread;
    int status;
    atomic_bool done;
};

static void *scrape_once(void *context)
{
    struct one_scrape *one = context;
    bool whole = false;
    one->status = scrape(&whole);
    atomic_store(&one->done, true);
    return NULL;
}

/* Leaves a request waiting for a page. A page of the last second is shown again without a wish,
 * so asks until there is one. */
static void start_waiting(struct metrics_http *http, struct one_scrape *one)
{
    const int64_t limit_ms = clock_boot_ms() + 10000;
    bool wished = false;
    while (!wished) {
        atomic_store(&one->done, false);
        assert(pthread_create(&one->thread, NULL, scrape_once, one) == 0);
        while (!wished && !atomic_load(&one->done)) {
            assert(clock_boot_ms() < limit_ms);
            wished = wait_for_wish(http, 10);
        }
        if (!wished) {
            (void)pthread_join(one->thread, NULL);
            assert(one->status == 200);
        }
    }
}

/* A request that waits while the answer is "none", and one while it is stopped. */
static void test_no_page(struct metrics_http *http, bool stop)
{
    struct one_scrape one = {0};
    start_waiting(http, &one);
    if (stop) {
        metrics_http_stop(http);
    } else {
        metrics_http_give(http, NULL);
    }
    (void)pthread_join(one.thread, NULL);
    /* Without a new page the last one is better than nothing. A stopped one may just close. */
    assert(one.status == 200 || (stop && (one.status == 503 || one.status == 0)));
}

int main(void)
{
    struct metrics_http *http = NULL;
    struct err err = {0};
    (void)signal(SIGPIPE, SIG_IGN);
    assert(metrics_http_start(&http, "off", &err) == 0);
    assert(metrics_http_port(http) == 0);
    metrics_http_stop(http);
    assert(metrics_http_start(&http, "127.0.0.1:0", &err) == 0);
    port = metrics_http_port(http);
    assert(port != 0);

    int64_t begin_ms = clock_boot_ms();
    int pages = serve_all(http);
    int64_t passed_ms = clock_boot_ms() - begin_ms;
    (void)printf("%d pages for %d scrapes in %lld ms, %d told to come back\n", pages,
                 SCRAPERS * SCRAPES, (long long)passed_ms, atomic_load(&refused));
    assert(pages <= 2 + passed_ms / 1000);
    assert(atomic_load(&served) > 0);

    test_no_page(http, false);
    test_no_page(http, true);
    metrics_http_stop(NULL);
    return 0;
}
