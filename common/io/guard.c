// SPDX-License-Identifier: Apache-2.0
#include "common/io/guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/domain.h"
#include "common/io/inflow.h"
#include "common/io/secure_socket.h"

#define ZAP_ENDPOINT     "inproc://zeromq.zap.01"
#define SELF_TEST_DOMAIN "self-test"
#define SELF_TEST_MS     3000
#define ZAP_FRAMES       7
#define ZAP_FRAME_BYTES  256

/* ZeroMQ has one ZAP handler per process, so there is one of these. */
struct guard {
    _Atomic(const struct keyring *) keyring; /* NULL: no guard runs */
    void *zap;                               /* REP socket; of the thread while it runs */
    int stop_fd;
    pthread_t thread;
    char test_public[KEY_TEXT_SIZE]; /* admitted to the self-test's domain alone */
    atomic_uint_fast64_t admitted;
    atomic_uint_fast64_t refused;
    atomic_uint_fast64_t cut_off;
};
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
static struct guard guard = {.stop_fd = -1};

/* RFC 27: version, request id, domain, address, routing id, mechanism, credentials. */
struct zap_request {
    size_t frames; /* that came, also beyond ZAP_FRAMES */
    size_t sizes[ZAP_FRAMES];
    char data[ZAP_FRAMES][ZAP_FRAME_BYTES];
};
enum {
    ZAP_VERSION,
    ZAP_REQUEST_ID,
    ZAP_DOMAIN,
    ZAP_ADDRESS,
    ZAP_ROUTING_ID,
    ZAP_MECHANISM,
    ZAP_CREDENTIALS
};

static bool frame_is(const struct zap_request *request, size_t frame, const char *text)
{
    return request->sizes[frame] == strlen(text) &&
           memcmp(request->data[frame], text, strlen(text)) == 0;
}

static bool decide(const struct zap_request *request, char public_text[KEY_TEXT_SIZE])
{
    if (request->frames != ZAP_FRAMES || !frame_is(request, ZAP_VERSION, "1.0") ||
        !frame_is(request, ZAP_MECHANISM, "CURVE") || request->sizes[ZAP_CREDENTIALS] != 32) {
        return false;
    }
    uint8_t key[32];
    memcpy(key, request->data[ZAP_CREDENTIALS], sizeof key);
    if (zmq_z85_encode(public_text, key, sizeof key) == NULL) {
        return false;
    }
    if (frame_is(request, ZAP_DOMAIN, SELF_TEST_DOMAIN)) {
        return strcmp(public_text, guard.test_public) == 0;
    }
    enum bus_domain domain =
        request->sizes[ZAP_DOMAIN] <= ZAP_FRAME_BYTES
            ? domain_from_word(request->data[ZAP_DOMAIN], request->sizes[ZAP_DOMAIN])
            : (enum bus_domain)0;
    const struct keyring *keyring = atomic_load(&guard.keyring);
    struct principal principal;
    return keyring != NULL && keyring_find(keyring, public_text, &principal) == 0 &&
           domain_admits(domain, principal.role);
}

static bool receive_request(void *zap, struct zap_request *request)
{
    int more = 1;
    size_t more_size = sizeof more;
    for (request->frames = 0; more != 0; request->frames++) {
        char dropped[ZAP_FRAME_BYTES];
        bool is_kept = request->frames < ZAP_FRAMES;
        char *place = is_kept ? request->data[request->frames] : dropped;
        int size = zmq_recv(zap, place, ZAP_FRAME_BYTES, ZMQ_DONTWAIT);
        if (size < 0) {
            return false;
        }
        if (is_kept) {
            request->sizes[request->frames] = (size_t)size;
        }
        if (zmq_getsockopt(zap, ZMQ_RCVMORE, &more, &more_size) != 0) {
            return false;
        }
    }
    return true;
}

static void answer(void *zap, const struct zap_request *request)
{
    char public_text[KEY_TEXT_SIZE] = "";
    bool is_admitted = decide(request, public_text);
    (void)atomic_fetch_add(is_admitted ? &guard.admitted : &guard.refused, 1);
    const char *code = is_admitted ? "200" : "400";
    const char *user = is_admitted ? public_text : "";
    size_t id_size = request->frames > ZAP_REQUEST_ID ? request->sizes[ZAP_REQUEST_ID] : 0;
    if (id_size > ZAP_FRAME_BYTES) {
        id_size = 0;
    }
    /* A lost answer is a refusal: nothing more to do when one of these fails. */
    (void)zmq_send(zap, "1.0", 3, ZMQ_SNDMORE);
    (void)zmq_send(zap, request->data[ZAP_REQUEST_ID], id_size, ZMQ_SNDMORE);
    (void)zmq_send(zap, code, 3, ZMQ_SNDMORE);
    (void)zmq_send(zap, "", 0, ZMQ_SNDMORE);
    (void)zmq_send(zap, user, strlen(user), ZMQ_SNDMORE);
    (void)zmq_send(zap, "", 0, 0);
}

static void *guard_run(void *argument)
{
    (void)argument;
    struct zap_request request;
    struct inflow inflow = {0};
    zmq_pollitem_t items[] = {
        {.socket = guard.zap, .events = ZMQ_POLLIN},
        {.fd = guard.stop_fd, .events = ZMQ_POLLIN},
    };
    int64_t sweep_at_ms = clock_boot_ms() + INFLOW_SWEEP_MS;
    while (items[1].revents == 0) {
        int64_t left_ms = sweep_at_ms - clock_boot_ms();
        if (zmq_poll(items, 2, left_ms > 0 ? (long)left_ms : 0) < 0 && errno != EINTR) {
            break;
        }
        if (clock_boot_ms() >= sweep_at_ms) {
            (void)atomic_fetch_add(&guard.cut_off, (unsigned)inflow_sweep(&inflow));
            sweep_at_ms = clock_boot_ms() + INFLOW_SWEEP_MS;
        }
        if ((items[0].revents & ZMQ_POLLIN) != 0 && receive_request(guard.zap, &request)) {
            answer(guard.zap, &request);
        }
    }
    return NULL;
}

static int start_thread(struct err *err)
{
    guard.stop_fd = eventfd(0, EFD_CLOEXEC);
    guard.zap = zmq_socket(secure_socket_context(), ZMQ_REP);
    if (guard.stop_fd < 0 || guard.zap == NULL || zmq_bind(guard.zap, ZAP_ENDPOINT) != 0) {
        int code = errno;
        return err_set(err, -EADDRINUSE, "cannot listen on %s: %s", ZAP_ENDPOINT,
                       zmq_strerror(code));
    }
    /* Signals are for the thread that waits for them. */
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&guard.thread, NULL, guard_run, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r == 0 ? 0 : err_set(err, -r, "cannot start a thread: %s", strerrordesc_np(r));
}

static void release(void)
{
    if (guard.zap != NULL) {
        int linger = 0;
        (void)zmq_setsockopt(guard.zap, ZMQ_LINGER, &linger, sizeof linger);
        /* At once, while closing takes its time: the next guard wants the place. Fails if not
         * bound. */
        (void)zmq_unbind(guard.zap, ZAP_ENDPOINT);
        (void)zmq_close(guard.zap); /* cannot fail on a socket */
    }
    if (guard.stop_fd >= 0) {
        (void)close(guard.stop_fd);
    }
    guard.zap = NULL;
    guard.stop_fd = -1;
}

/* Connects with a key and reports the first verdict: 1 admitted, 0 refused, negative: neither.
 */
static int try_key(const char *endpoint, const struct key_pair *own, const char *server_public,
                   struct err *err)
{
    const struct secure_socket_options options = {
        .type = ZMQ_DEALER, .own = own, .server_public = server_public};
    zsock_t *client = secure_socket_new(&options, err);
    if (client == NULL) {
        return -EMFILE;
    }
    int verdict = -ETIMEDOUT;
    void *watch = secure_socket_watch(client, err);
    if (watch == NULL || secure_socket_connect(client, endpoint, err) != 0) {
        verdict = -EMFILE;
    }
    int64_t deadline_ms = clock_boot_ms() + SELF_TEST_MS;
    while (verdict == -ETIMEDOUT && clock_boot_ms() < deadline_ms) {
        zmq_pollitem_t item = {.socket = watch, .events = ZMQ_POLLIN};
        (void)zmq_poll(&item, 1, (long)(deadline_ms - clock_boot_ms())); /* looked at below */
        for (int event = secure_socket_event(watch); event != 0;
             event = secure_socket_event(watch)) {
            if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
                verdict = 1;
            } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH && verdict < 0) {
                verdict = 0;
            }
        }
    }
    if (watch != NULL) {
        (void)zmq_socket_monitor(zsock_resolve(client), NULL, 0);
        (void)zmq_close(watch); /* cannot fail on a socket */
    }
    zsock_destroy(&client);
    return verdict;
}

static int self_test_with(zsock_t *server, const struct key_pair *server_key,
                          const struct key_pair *known, struct err *err)
{
    struct key_pair unknown;
    char endpoint[256];
    int rc = key_pair_generate(&unknown, err);
    if (rc == 0) {
        rc = secure_socket_bind(server, "tcp://127.0.0.1:*", err);
    }
    if (rc == 0) {
        rc = secure_socket_endpoint(server, endpoint, sizeof endpoint);
    }
    if (rc != 0) {
        return rc;
    }
    if (try_key(endpoint, &unknown, server_key->public_text, err) != 0) {
        return err_set(err, -EPERM, "a connection with an unknown key was not refused");
    }
    if (try_key(endpoint, known, server_key->public_text, err) != 1) {
        return err_set(err, -EPERM, "a connection with a known key was not admitted");
    }
    return 0;
}

static int self_test(const struct key_pair *known, struct err *err)
{
    struct key_pair server_key;
    int rc = key_pair_generate(&server_key, err);
    if (rc != 0) {
        return rc;
    }
    const struct secure_socket_options options = {
        .type = ZMQ_ROUTER, .own = &server_key, .zap_domain = SELF_TEST_DOMAIN};
    zsock_t *server = secure_socket_new(&options, err);
    if (server == NULL) {
        return -EMFILE;
    }
    rc = self_test_with(server, &server_key, known, err);
    zsock_destroy(&server);
    return rc;
}

int guard_start(const struct keyring *keyring, struct err *err)
{
    if (guard_keyring() != NULL) {
        return err_set(err, -EALREADY, "the guard runs already");
    }
    struct key_pair known;
    int rc = key_pair_generate(&known, err);
    if (rc != 0) {
        return rc;
    }
    memcpy(guard.test_public, known.public_text, sizeof guard.test_public);
    rc = start_thread(err);
    if (rc != 0) {
        release();
        return err_wrap(err, "guard");
    }
    atomic_store(&guard.keyring, keyring);
    rc = self_test(&known, err);
    explicit_bzero(&known, sizeof known);
    atomic_store(&guard.admitted, 0);
    atomic_store(&guard.refused, 0);
    atomic_store(&guard.cut_off, 0);
    if (rc != 0) {
        guard_stop();
        return err_wrap(err, "guard: self-test failed, not starting");
    }
    return 0;
}

void guard_stop(void)
{
    if (guard_keyring() == NULL) {
        return;
    }
    atomic_store(&guard.keyring, NULL);
    uint64_t one = 1;
    ssize_t wrote = write(guard.stop_fd, &one, sizeof one);
    (void)wrote; /* an eventfd takes a 1 */
    (void)pthread_join(guard.thread, NULL);
    release();
}

const struct keyring *guard_keyring(void)
{
    return atomic_load(&guard.keyring);
}

void guard_counters(struct guard_counters *out)
{
    out->admitted = atomic_load(&guard.admitted);
    out->refused = atomic_load(&guard.refused);
    out->cut_off = atomic_load(&guard.cut_off);
}
