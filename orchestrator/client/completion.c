// SPDX-License-Identifier: Apache-2.0
/*
 * completion: scripts that make the shell ask "arbiter __complete WORDS..."; the answer is one
 * possible word per line. Names are asked of the orchestrator, so they are live; an error shows
 * as no words.
 */
#include <stdlib.h>
#include <string.h>

#include "orchestrator/client/options.h"
#include "orchestrator/client/verb.h"
#include "proto/text.h"

#define CALL_MS 1000

int verb_completion(struct client *client, int count, char **words)
{
    static const char bash[] =
        "_arbiter() {\n"
        "  local IFS=$'\\n' cur=${COMP_WORDS[COMP_CWORD]}\n"
        "  COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" __complete "
        "\"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\" -- \"$cur\"))\n"
        "}\n"
        "complete -o default -F _arbiter arbiter\n";
    static const char zsh[] = "#compdef arbiter\n"
                              "_arbiter() {\n"
                              "  local -a found\n"
                              "  found=(${(f)\"$(${words[1]} __complete "
                              "\"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
                              "  (( $#found )) && compadd -a found || _files\n"
                              "}\n"
                              "compdef _arbiter arbiter\n";
    static const char fish[] = "complete -c arbiter -a '(arbiter __complete "
                               "(commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'\n";
    static const struct {
        const char *shell;
        const char *script;
    } scripts[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
    for (size_t i = 0; count == 1 && i < sizeof scripts / sizeof *scripts; i++) {
        if (strcmp(words[0], scripts[i].shell) == 0) {
            (void)fputs(scripts[i].script, stdout);
            return 0;
        }
    }
    return client_error(client, REPLY_INVALID, "expected bash, zsh or fish");
}

static void print_words(const char *list)
{
    for (; *list != '\0'; list += strspn(list, " ")) {
        size_t length = strcspn(list, " ");
        (void)printf("%.*s\n", (int)length, list);
        list += length;
    }
}

/* ---- names ---- */

static void print_name(void *context, const struct item *item)
{
    const char *prefix = context;
    const char *name = item->kind == ITEM_KIND_OBJECT ? object_name(&item->object) : "";
    if (name[0] != '\0') {
        (void)printf("%s%s\n", prefix, name);
    }
}

static void print_names(struct client *client, enum object_kind kind, const char *format)
{
    struct reply reply;
    char prefix[8];
    int code = 0;
    (void)snprintf(prefix, sizeof prefix, "%s", format);
    client->timeout_ms = CALL_MS;
    client_request(client, METHOD_GET)->kind = kind;
    do {
        code = client_try(client, &reply, print_name, prefix);
        client->request->after = reply.next;
    } while (code == 0 && reply.next != 0);
}

static void print_objects(struct client *client)
{
    print_names(client, OBJECT_KIND_SERVICE, "svc/");
    print_names(client, OBJECT_KIND_VM, "vm/");
    print_names(client, OBJECT_KIND_NODE, "node/");
}

/* ---- fields ---- */

struct field_prefix {
    const char *kind;   /* "service.", not printed; "" for explain */
    const char *suffix; /* "=" for set */
    char path[TEXT_SIZE];
};

static void print_field(void *context, const char *word)
{
    const struct field_prefix *prefix = context;
    size_t skip = strlen(prefix->kind);
    const char *path = prefix->path + (strlen(prefix->path) > skip ? skip : 0);
    bool inside = strlen(prefix->path) > skip;
    (void)printf("%s%s%s%s\n", inside ? path : "", inside ? "." : "", word, prefix->suffix);
}

/* The children of the path that is typed, up to its last dot. */
static void print_fields(const char *kind, const char *typed, const char *suffix)
{
    struct field_prefix prefix = {.kind = kind, .suffix = suffix};
    const char *dot = strrchr(typed, '.');
    size_t length = dot != NULL ? (size_t)(dot - typed) : 0;
    size_t stem = kind[0] != '\0' && length == 0 ? strlen(kind) - 1 : strlen(kind);
    (void)snprintf(prefix.path, sizeof prefix.path, "%.*s%.*s", (int)stem, kind, (int)length,
                   typed);
    text_children(prefix.path, print_field, &prefix);
}

static void complete_set(struct client *client, int count, char **words)
{
    enum object_kind kind = OBJECT_KIND_UNSPECIFIED;
    char name[NAME_SIZE];
    char stem[NAME_SIZE + 2];
    if (count == 2) {
        print_objects(client);
    } else if (client_parse_object(client, 1, words + 1, &kind, name) > 0) {
        if (kind == OBJECT_KIND_VM) {
            print_words("cpu= cpu=auto weight= vcpus= memory= net_rate= net_rate=none "
                        "disk_rate= disk_rate=none");
            return;
        }
        (void)snprintf(stem, sizeof stem, "%s.",
                       object_kind_word(kind != 0 ? kind : OBJECT_KIND_SERVICE));
        print_fields(stem, words[count - 1], "=");
    }
}

/* ---- words by place ---- */

/* The words that may follow an option; false: it has none that are known. */
static bool complete_value(struct client *client, const char *option)
{
    static const struct {
        const char *option;
        const char *words;
    } values[] = {
        {"-o", "table wide json yaml csv name"},
        {"--output", "table wide json yaml csv name"},
        {"--color", "auto always never"},
        {"--role", "administrator provider observer agent"},
        {"--for", "running met stopped finished deleted paused suspended up 1h"},
        {"--kind", "decision action objective-missed objective-met node-lost node-back vm-lost "
                   "vm-placed vm-waiting changed mode alarm migration scheduler-late "
                   "profile-outdated"},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (strcmp(values[i].option, option) == 0) {
            print_words(values[i].words);
            return true;
        }
    }
    if (strcmp(option, "--service") == 0 || strcmp(option, "--node") == 0) {
        print_names(client, option[2] == 's' ? OBJECT_KIND_SERVICE : OBJECT_KIND_NODE, "");
        return true;
    }
    return strcmp(option, "-f") == 0 || strcmp(option, "--file") == 0; /* the shell's files */
}

/* Verbs with a fixed list for their first word. */
static const char *first_words(const char *verb)
{
    static const struct {
        const char *verb;
        const char *words;
    } lists[] = {
        {"get",
         "service vm node image storage network agreement profile settings decision metric"},
        {"mode", "advise act hold"},
        {"init", "web queue cluster site"},
        {"completion", "bash zsh fish"},
        {"keys", "make enrol revoke list"},
        {"status", ""},
        {"top", ""},
        {"plan", "-f"},
        {"apply", "-f"},
        {"events", "--follow --after --since --service --node --kind"},
        {"version", ""},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (strcmp(lists[i].verb, verb) == 0) {
            return lists[i].words;
        }
    }
    return NULL;
}

static void complete_names(struct client *client, int count, char **words)
{
    const char *verb = words[0];
    if (strcmp(verb, "cordon") == 0 || strcmp(verb, "uncordon") == 0 ||
        strcmp(verb, "drain") == 0 || strcmp(verb, "confirm-dead") == 0) {
        print_names(client, OBJECT_KIND_NODE, "");
    } else if (strcmp(verb, "move") == 0) {
        print_names(client, count == 2 ? OBJECT_KIND_VM : OBJECT_KIND_NODE,
                    count == 2 ? "vm/" : "");
    } else if (strcmp(verb, "why") == 0) {
        print_names(client, OBJECT_KIND_SERVICE, "");
        print_names(client, OBJECT_KIND_NODE, "node/");
    } else if (count == 3 && client_parse_kind(words[1]) != OBJECT_KIND_UNSPECIFIED) {
        print_names(client, client_parse_kind(words[1]), "");
    } else if (count == 2 && verb_find(verb) != NULL) {
        print_objects(client);
    }
}

/* Words without options; the last one is being typed. */
static void complete_words(struct client *client, int count, char **words)
{
    const char *verb = words[0];
    const char *fixed = first_words(verb);
    if (count == 1 || strcmp(verb, "help") == 0) {
        verb_print_names();
    } else if (strcmp(verb, "explain") == 0) {
        print_fields("", words[count - 1], "");
    } else if (strcmp(verb, "set") == 0) {
        complete_set(client, count, words);
    } else if (fixed != NULL && count == 2) {
        print_words(fixed);
    } else if (fixed == NULL || strcmp(verb, "get") == 0) {
        complete_names(client, count, words);
    }
}

int verb_complete(struct client *client, int count, char **words)
{
    static char program[] = "arbiter";
    /* The options that were typed count: -H and the keys say whom to ask. */
    char **typed = calloc((size_t)count + 1, sizeof *typed);
    char **rest = calloc((size_t)count + 1, sizeof *rest);
    int left = 0;
    if (typed != NULL && rest != NULL && count > 0) {
        const char *before = count > 1 ? words[count - 2] : "";
        typed[0] = program;
        memcpy(typed + 1, words, (size_t)(count - 1) * sizeof *words);
        if (before[0] != '-' || !complete_value(client, before)) {
            (void)options_read(client, count, typed, rest, &left); /* what it can */
            rest[left++] = words[count - 1];
            complete_words(client, left, rest);
        }
    }
    free(typed);
    free(rest);
    return 0;
}
