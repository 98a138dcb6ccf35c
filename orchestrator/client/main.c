// SPDX-License-Identifier: Apache-2.0
/* arbiter: the client. Options may stand anywhere; the first other word is the verb. */
#include <stdlib.h>

#include "orchestrator/client/options.h"
#include "orchestrator/client/verb.h"

static int run(struct client *client, int count, char **words)
{
    if (count == 0) {
        return verb_help(client, 0, NULL);
    }
    const struct verb *verb = verb_find(words[0]);
    if (verb == NULL) {
        return verb_unknown(client, words[0]);
    }
    return verb->run(client, count - 1, words + 1);
}

int main(int argc, char **argv)
{
    struct client client = {0};
    client.request = calloc(1, sizeof *client.request);
    char **words = calloc((size_t)argc + 1, sizeof *words);
    int count = 0;
    int code = REPLY_FAILED;
    if (words != NULL && client.request != NULL) {
        code = options_read(&client, argc, argv, words, &count);
    }
    if (code == OPTIONS_HELP) {
        code = verb_help(&client, count, words);
    } else if (code == OPTIONS_VERSION) {
        code = verb_version(&client, 0, NULL);
    } else if (code == 0) {
        code = run(&client, count, words);
    }
    connection_close(client.connection);
    free(client.request);
    free(words);
    if (fflush(stdout) != 0 && code == 0) {
        code = REPLY_FAILED;
    }
    return code;
}
