// SPDX-License-Identifier: Apache-2.0
#include "orchestrator/io/metrics_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/io/clock.h"

#define FRESH_MS      1000 /* a page is shown for so long */
#define IDLE_S        10   /* a connection on which nothing moves is closed */
#define REQUEST_BYTES 8192 /* memory for one connection, with all its headers */
#define TEXTS_MAX     4    /* printed pages that slow readers may keep alive */

struct metrics_http {
    struct MHD_Daemon *daemon; /* NULL: off */
    bool loopback;
    int wanted_fd;
    pthread_mutex_t lock;
    /* under the lock */
    bool asked;                /* the loop was asked and did not answer yet */
    bool stopping;             /* nobody waits any more */
    struct metrics_page *page; /* not printed yet */
    int64_t page_at_ms;
    int texts; /* printed pages in memory */
    uint32_t waiting_count;
    struct MHD_Connection *waiting[METRICS_CONNECTIONS_MAX];
    /* of the thread that serves */
    struct MHD_Response *response; /* the newest page, printed */
    int64_t response_at_ms;
};

/* ---- answers ---- */

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
                                   const char *text, const char *header, const char *value)
{
    char copy[128]; /* the library does not promise to leave it alone */
    (void)snprintf(copy, sizeof copy, "%s", text);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(copy), copy, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
    if (header != NULL) {
        (void)MHD_add_response_header(response, header, value);
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_later(struct MHD_Connection *connection)
{
    return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "try again\n",
                       MHD_HTTP_HEADER_RETRY_AFTER, "1");
}

/* A printed page, with the place where it is counted. */
struct printed {
    struct metrics_http *http;
    char *text;
};

static void forget_text(void *context)
{
    struct printed *printed = context;
    (void)pthread_mutex_lock(&printed->http->lock);
    printed->http->texts--;
    (void)pthread_mutex_unlock(&printed->http->lock);
    free(printed->text);
    free(printed);
}

/* Prints the page, which is freed. NULL: no memory. */
static struct MHD_Response *print(struct metrics_http *http, struct metrics_page *page)
{
    struct printed *printed = calloc(1, sizeof *printed);
    if (printed == NULL) {
        metrics_page_destroy(page);
        return NULL;
    }
    size_t size = 0;
    FILE *out = open_memstream(&printed->text, &size);
    bool complete = false;
    if (out != NULL) {
        metrics_text_print(out, page);
        complete = fclose(out) == 0;
    }
    metrics_page_destroy(page);
    struct MHD_Response *response =
        complete ? MHD_create_response_from_buffer_with_free_callback_cls(size, printed->text,
                                                                          forget_text, printed)
                 : NULL;
    if (response == NULL) {
        free(printed->text);
        free(printed);
        return NULL;
    }
    printed->http = http;
    (void)pthread_mutex_lock(&http->lock);
    http->texts++;
    (void)pthread_mutex_unlock(&http->lock);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, METRICS_CONTENT_TYPE);
    return response;
}

/* ---- a request for the page ---- */

enum step { STEP_ANSWER, STEP_PRINT, STEP_WAIT, STEP_LATER };

/* What to do with a request for the page. On STEP_PRINT *page is the caller's. */
static enum step next_step(struct metrics_http *http, struct MHD_Connection *connection,
                           bool waited, struct metrics_page **page)
{
    enum step step = STEP_WAIT;
    bool wake = false;
    (void)pthread_mutex_lock(&http->lock);
    if (http->page != NULL) {
        step = http->texts < TEXTS_MAX ? STEP_PRINT : STEP_LATER;
        *page = http->page;
        http->page = NULL;
        if (step == STEP_LATER) {
            metrics_page_destroy(*page);
        } else {
            http->response_at_ms = http->page_at_ms;
        }
    } else if (http->response != NULL &&
               (waited || clock_boot_ms() - http->response_at_ms < FRESH_MS)) {
        step = STEP_ANSWER;
    } else if (waited || http->stopping || http->waiting_count == METRICS_CONNECTIONS_MAX) {
        step = STEP_LATER;
    } else {
        MHD_suspend_connection(connection);
        http->waiting[http->waiting_count++] = connection;
        wake = !http->asked;
        http->asked = true;
    }
    (void)pthread_mutex_unlock(&http->lock);
    if (wake) {
        uint64_t one = 1;
        (void)!write(http->wanted_fd, &one, sizeof one);
    }
    return step;
}

static enum MHD_Result answer_page(struct metrics_http *http, struct MHD_Connection *connection,
                                   bool waited, void **state)
{
    static char has_waited;
    struct metrics_page *page = NULL;
    switch (next_step(http, connection, waited, &page)) {
    case STEP_LATER: return answer_later(connection);
    case STEP_WAIT: *state = &has_waited; return MHD_YES;
    case STEP_PRINT:
        if (http->response != NULL) {
            MHD_destroy_response(http->response);
        }
        http->response = print(http, page);
        break;
    case STEP_ANSWER: break;
    }
    return http->response != NULL ? MHD_queue_response(connection, MHD_HTTP_OK, http->response)
                                  : answer_later(connection);
}

/* "127.0.0.1:7780", "localhost", "[::1]:7780": a number or localhost, with or without port. */
static bool is_this_machine(const char *host)
{
    char name[INET6_ADDRSTRLEN + 16];
    struct in6_addr parsed;
    if (host == NULL) {
        return true; /* HTTP/1.0 */
    }
    bool brackets = host[0] == '[';
    host += brackets ? 1 : 0;
    size_t length = strcspn(host, brackets ? "]" : ":");
    if (length >= sizeof name) {
        return false;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)length, host);
    return strcmp(name, "localhost") == 0 ||
           inet_pton(brackets ? AF_INET6 : AF_INET, name, &parsed) == 1;
}

/* MHD_HTTP_OK, or the status with which a request is refused. */
static unsigned judge(const struct metrics_http *http, struct MHD_Connection *connection,
                      const char *url, const char *method)
{
    const char *host =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    if (http->loopback && !is_this_machine(host)) {
        return MHD_HTTP_FORBIDDEN;
    }
    if (strcmp(url, "/metrics") != 0) {
        return MHD_HTTP_NOT_FOUND;
    }
    bool reads =
        strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    return reads ? MHD_HTTP_OK : MHD_HTTP_METHOD_NOT_ALLOWED;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status)
{
    switch (status) {
    case MHD_HTTP_FORBIDDEN:
        return answer_text(connection, status,
                           "this is for clients on this machine: use its number\n", NULL, NULL);
    case MHD_HTTP_METHOD_NOT_ALLOWED:
        return answer_text(connection, status, "only GET\n", MHD_HTTP_HEADER_ALLOW,
                           "GET, HEAD");
    default: return answer_text(connection, status, "there is /metrics\n", NULL, NULL);
    }
}

// NOLINTBEGIN(readability-function-size, readability-non-const-parameter): the library's form
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *body,
                              size_t *body_size, void **state)
{
    static char seen;
    struct metrics_http *http = context;
    (void)version;
    (void)body;
    if (*state == NULL) {
        /* Refused with the first headers: no body is waited for. */
        unsigned status = judge(http, connection, url, method);
        *state = &seen;
        return status == MHD_HTTP_OK ? MHD_YES : refuse(connection, status);
    }
    if (*body_size != 0) {
        return MHD_NO; /* a GET with a body */
    }
    return answer_page(http, connection, *state != &seen, state);
}
// NOLINTEND(readability-function-size, readability-non-const-parameter)

/* ---- start and stop ---- */

/* Reads "ADDRESS:PORT". */
static int parse(const char *listen, struct sockaddr_storage *out, bool *loopback,
                 struct err *err)
{
    char text[INET6_ADDRSTRLEN + 16];
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    const char *colon = strrchr(listen, ':');
    size_t digits = colon != NULL ? strspn(colon + 1, "0123456789") : 0;
    unsigned long port = digits > 0 && digits < 6 ? strtoul(colon + 1, NULL, 10) : 65536;
    memset(out, 0, sizeof *out);
    bool fine = colon != NULL && colon[1 + digits] == '\0' && port < 65536 &&
                (size_t)(colon - listen) < sizeof text;
    if (fine) {
        bool brackets = listen[0] == '[' && colon[-1] == ']';
        (void)snprintf(text, sizeof text, "%.*s", (int)(colon - listen - (brackets ? 2 : 0)),
                       listen + (brackets ? 1 : 0));
        if (brackets) {
            v6->sin6_family = AF_INET6;
            v6->sin6_port = htons((uint16_t)port);
            fine = inet_pton(AF_INET6, text, &v6->sin6_addr) == 1;
            *loopback = fine && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
        } else {
            v4->sin_family = AF_INET;
            v4->sin_port = htons((uint16_t)port);
            fine = inet_pton(AF_INET, text, &v4->sin_addr) == 1;
            *loopback = fine && (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
        }
    }
    return fine ? 0
                : err_set(err, -EINVAL,
                          "listen.metrics: expected an address and a port such as "
                          "127.0.0.1:7780, or off, got \"%.100s\"",
                          listen);
}

static bool is_off(const char *listen)
{
    return strcmp(listen, "off") == 0;
}

int metrics_http_check(const char *listen, struct err *err)
{
    struct sockaddr_storage address;
    bool loopback = false;
    return is_off(listen) ? 0 : parse(listen, &address, &loopback, err);
}

static int start_daemon(struct metrics_http *http, const struct sockaddr_storage *address)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
    flags |= address->ss_family == AF_INET6 ? (unsigned)MHD_USE_IPv6 : 0;
    errno = 0;
    http->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, http, MHD_OPTION_SOCK_ADDR,
                                    address, MHD_OPTION_CONNECTION_LIMIT,
                                    METRICS_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                                    (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                    (size_t)REQUEST_BYTES, MHD_OPTION_END);
    return http->daemon != NULL ? 0 : errno != 0 ? -errno : -EIO;
}

int metrics_http_start(struct metrics_http **out, const char *listen, struct err *err)
{
    struct sockaddr_storage address = {0};
    bool loopback = false;
    int rc = is_off(listen) ? 0 : parse(listen, &address, &loopback, err);
    if (rc != 0) {
        return rc;
    }
    struct metrics_http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        return err_set(err, -ENOMEM, "no memory for metrics");
    }
    http->loopback = loopback;
    (void)pthread_mutex_init(&http->lock, NULL);
    http->wanted_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rc = http->wanted_fd < 0 ? -errno : 0;
    if (rc == 0 && !is_off(listen)) {
        rc = start_daemon(http, &address);
    }
    if (rc != 0) {
        metrics_http_stop(http);
        return err_set(err, rc, "listen.metrics %s: %s", listen, strerrordesc_np(-rc));
    }
    *out = http;
    return 0;
}

/* All that wait are called again; the lock is held. */
static void wake_all(struct metrics_http *http)
{
    for (uint32_t i = 0; i < http->waiting_count; i++) {
        MHD_resume_connection(http->waiting[i]);
    }
    http->waiting_count = 0;
}

void metrics_http_stop(struct metrics_http *http)
{
    if (http == NULL) {
        return;
    }
    if (http->daemon != NULL) {
        (void)pthread_mutex_lock(&http->lock);
        http->stopping = true;
        wake_all(http);
        (void)pthread_mutex_unlock(&http->lock);
        MHD_stop_daemon(http->daemon);
    }
    if (http->response != NULL) {
        MHD_destroy_response(http->response);
    }
    metrics_page_destroy(http->page);
    if (http->wanted_fd >= 0) {
        (void)close(http->wanted_fd);
    }
    (void)pthread_mutex_destroy(&http->lock);
    free(http);
}

/* ---- for the loop ---- */

unsigned metrics_http_port(const struct metrics_http *http)
{
    const union MHD_DaemonInfo *info =
        http->daemon != NULL ? MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT)
                             : NULL;
    return info != NULL ? info->port : 0;
}

int metrics_http_fd(const struct metrics_http *http)
{
    return http->wanted_fd;
}

bool metrics_http_wanted(struct metrics_http *http)
{
    uint64_t count = 0;
    return read(http->wanted_fd, &count, sizeof count) == (ssize_t)sizeof count;
}

void metrics_http_give(struct metrics_http *http, struct metrics_page *page)
{
    (void)pthread_mutex_lock(&http->lock);
    metrics_page_destroy(http->page);
    http->page = page;
    http->page_at_ms = clock_boot_ms();
    http->asked = false;
    wake_all(http);
    (void)pthread_mutex_unlock(&http->lock);
}

struct metrics_page *metrics_page_create(const struct metrics_rows *rows)
{
    struct metrics_page *page = calloc(1, sizeof *page);
    if (page == NULL) {
        return NULL;
    }
    /* One more: calloc(0) may be NULL without being out of memory. */
    page->view.services = calloc((size_t)rows->services + 1, sizeof *page->view.services);
    page->view.nodes = calloc((size_t)rows->nodes + 1, sizeof *page->view.nodes);
    page->view.vms = calloc((size_t)rows->vms + 1, sizeof *page->view.vms);
    if (page->view.services == NULL || page->view.nodes == NULL || page->view.vms == NULL) {
        metrics_page_destroy(page);
        return NULL;
    }
    return page;
}

void metrics_page_destroy(struct metrics_page *page)
{
    if (page == NULL) {
        return;
    }
    free(page->view.services);
    free(page->view.nodes);
    free(page->view.vms);
    free(page);
}
