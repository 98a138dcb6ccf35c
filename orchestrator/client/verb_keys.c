// SPDX-License-Identifier: Apache-2.0
/* keys: make a key pair, enrol and revoke public keys, list who may connect. Works on files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/file.h"
#include "common/io/keys.h"
#include "orchestrator/client/verb.h"

#define KEYRING_DEFAULT   "/etc/arbiter/keyring"
#define KEYRING_BYTES_MAX (1u << 20)

/* What is wrong with a file of keys, as an exit code. */
static int tell(const struct client *client, int rc, const struct err *err)
{
    enum reply_code code = rc == -EEXIST                   ? REPLY_CONFLICT
                           : rc == -ENOENT                 ? REPLY_NOT_FOUND
                           : rc == -EACCES || rc == -EPERM ? REPLY_DENIED
                           : rc == -EINVAL                 ? REPLY_INVALID
                                                           : REPLY_FAILED;
    return client_error(client, code, "%s", err->text);
}

static int make(struct client *client, const char *name)
{
    struct key_pair pair;
    struct err err = {0};
    char path[PATH_SIZE];
    char public_path[PATH_SIZE + 8];
    (void)snprintf(path, sizeof path, "%s%s",
                   client->out_file != NULL ? client->out_file : name,
                   client->out_file != NULL ? "" : ".key");
    size_t stem = strlen(path);
    stem -= stem > 4 && strcmp(path + stem - 4, ".key") == 0 ? 4 : 0;
    (void)snprintf(public_path, sizeof public_path, "%.*s.pub", (int)stem, path);
    int rc = key_pair_generate(&pair, &err);
    if (rc == 0) {
        rc = key_pair_write(path, &pair, &err);
    }
    if (rc == 0) {
        rc = key_public_write(public_path, pair.public_text, &err);
    }
    if (rc != 0) {
        return tell(client, rc, &err);
    }
    (void)printf("%s\n%s\n", path, public_path);
    if (!client->quiet) {
        (void)fprintf(stderr,
                      "  next, on the orchestrator's host: arbiter keys enrol %s %s "
                      "--role ROLE\n",
                      name, public_path);
    }
    return 0;
}

static int enrol(struct client *client, const char *name, const char *public_file)
{
    struct principal principal = {0};
    struct err err = {0};
    const char *keyring = client->keyring != NULL ? client->keyring : KEYRING_DEFAULT;
    (void)snprintf(principal.name, sizeof principal.name, "%s", name);
    principal.role = client->role != NULL ? role_from_word(client->role) : ROLE_UNSPECIFIED;
    if (principal.role == ROLE_UNSPECIFIED) {
        return client_error(client, REPLY_INVALID,
                            "--role: expected administrator, provider, observer or agent");
    }
    int rc = key_public_read(public_file, principal.public_text, &err);
    if (rc == 0) {
        rc = keyring_file_enrol(keyring, &principal, &err);
    }
    if (rc != 0) {
        return tell(client, rc, &err);
    }
    if (!client->quiet) {
        (void)printf("%s enrolled as %s in %s\n", name, role_word(principal.role), keyring);
    }
    return 0;
}

static int revoke(struct client *client, const char *name)
{
    struct err err = {0};
    const char *keyring = client->keyring != NULL ? client->keyring : KEYRING_DEFAULT;
    int rc = keyring_file_revoke(keyring, name, &err);
    if (rc != 0) {
        return tell(client, rc, &err);
    }
    if (!client->quiet) {
        (void)printf("%s revoked in %s\n", name, keyring);
    }
    return 0;
}

static int list(struct client *client)
{
    struct err err = {0};
    char *text = NULL;
    size_t size = 0;
    const char *keyring = client->keyring != NULL ? client->keyring : KEYRING_DEFAULT;
    int rc = file_read(keyring, KEYRING_BYTES_MAX, &text, &size, &err);
    if (rc != 0) {
        return tell(client, rc, &err);
    }
    (void)fwrite(text, 1, size, stdout);
    free(text);
    return 0;
}

int verb_keys(struct client *client, int count, char **words)
{
    if (count == 2 && strcmp(words[0], "make") == 0) {
        return make(client, words[1]);
    }
    if (count == 3 && strcmp(words[0], "enrol") == 0) {
        return enrol(client, words[1], words[2]);
    }
    if (count == 2 && strcmp(words[0], "revoke") == 0) {
        return revoke(client, words[1]);
    }
    if (count == 1 && strcmp(words[0], "list") == 0) {
        return list(client);
    }
    int code = client_error(client, REPLY_INVALID, "expected make, enrol, revoke or list");
    client_hint("arbiter help keys");
    return code;
}
