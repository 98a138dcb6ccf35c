// SPDX-License-Identifier: Apache-2.0
/* The table of verbs, and the verbs that only speak of it: help and version. */
#include <string.h>

#include "common/closest_word.h"
#include "orchestrator/client/verb.h"

/* Of the files that apply reads: "version: 1". */
#define SCHEMA_VERSION 1

#define START   "Start here"
#define LOOK    "Look"
#define CHANGE  "Change"
#define OPERATE "Operate"
#define LEARN   "Learn"

static const struct verb verbs[] = {
    {"status", START, "", "health of the cluster on one screen", "", verb_status},
    {"init", START, "web|queue|cluster|site", "a commented example to start from",
     "  arbiter init web > shop.yaml\n", verb_init},
    {"plan", START, "-f FILE", "what apply would do, and what is short where",
     "  --detailed-exitcode   exit 10 when there are changes\n"
     "  arbiter plan -f shop.yaml\n",
     verb_plan},
    {"apply", START, "-f FILE", "start or change what a file describes, and follow it",
     "  -f FILE               a file, a folder, or - for standard input\n"
     "  --at-revision N       only if nothing changed since plan said N\n"
     "  --wait, --detach      follow until all VMs run; default: on a terminal\n"
     "  --timeout 5m          how long to follow\n",
     verb_apply},
    {"top", START, "", "live view",
     "  -b -n N               print N pages instead of a screen; with -o json one line each\n"
     "  -wSECONDS             period, default 1\n"
     "  keys: q quit, s < > sort, r reverse, p pause\n",
     verb_top},
    {"why", START, "SERVICE|node/NAME|d-N", "why it is where it is, and who paid",
     "  arbiter why shop\n  arbiter why d-12 -o json\n", verb_why},

    {"get", LOOK, "TYPE [NAME]", "list objects",
     "  types: service (svc) vm node image storage network (net) agreement profile\n"
     "         settings decision metric\n"
     "  --service S, --node N  only what belongs there; of profiles: what was measured of S\n"
     "                        while it ran, to be kept with -o yaml and applied\n"
     "  -w, -wSECONDS         again and again; with -o json one object per line\n"
     "  --since 1h, --after N of decisions\n"
     "  arbiter get svc -o wide\n  arbiter get vm --service shop -o json\n",
     verb_get},
    {"show", LOOK, "TYPE/NAME", "one object with its state and last events",
     "  --since 1h            events of this time\n"
     "  arbiter show node/xen1 -o json\n",
     verb_show},
    {"events", LOOK, "", "what happened",
     "  --follow              go on as events come\n"
     "  --after ID            without gaps from an id on\n"
     "  --since 1h --service S --node N --kind decision,alarm\n"
     "  arbiter events --follow -o json\n",
     verb_events},
    {"wait", LOOK, "TYPE/NAME --for WHAT", "until it is running, met, stopped, deleted or up",
     "  --for                 service: running met stopped finished deleted\n"
     "                        vm: running paused suspended stopped crashed deleted\n"
     "                        node: up deleted\n"
     "  --timeout 5m          exit 6 after it\n"
     "  What does not exist yet is waited for; what is not there is deleted.\n",
     verb_wait},

    {"set", CHANGE, "TYPE/NAME FIELD=VALUE...", "change fields by hand",
     "  arbiter set svc/shop objective.response_time.p95=150ms\n"
     "  arbiter set vm/shop-web-1 cpu=1.5      (cpu=auto gives it back to the manager)\n"
     "  arbiter set vm/shop-web-1 net_rate=none (takes the limit away)\n",
     verb_set},
    {"start", CHANGE, "TYPE/NAME", "start a stopped service or VM", "", verb_start},
    {"stop", CHANGE, "TYPE/NAME", "shut down, keep the disks", "", verb_stop},
    {"reboot", CHANGE, "TYPE/NAME", "reboot a VM or all VMs of a service", "", verb_reboot},
    {"delete", CHANGE, "TYPE/NAME", "delete for good", "  --yes                 do not ask\n",
     verb_delete},
    {"pause", CHANGE, "TYPE/NAME", "no CPU, memory kept", "", verb_pause},
    {"resume", CHANGE, "TYPE/NAME", "end a pause", "", verb_resume},
    {"suspend", CHANGE, "TYPE/NAME", "save to a file of the node, free the memory", "",
     verb_suspend},
    {"restore", CHANGE, "TYPE/NAME", "go on from a suspend", "", verb_restore},
    {"move", CHANGE, "VM NODE", "to another node, by hand",
     "  --pin 1h              and stay there for so long\n", verb_move},

    {"cordon", OPERATE, "NODE", "no new VMs on a node", "", verb_cordon},
    {"uncordon", OPERATE, "NODE", "the end of cordon and drain", "", verb_uncordon},
    {"drain", OPERATE, "NODE", "move everything off a node",
     "  --wait                until it is empty\n", verb_drain},
    {"confirm-dead", OPERATE, "NODE", "you checked: the node is off; start its VMs elsewhere",
     "  Say this only when the machine is really off: a VM that runs twice destroys its "
     "disk.\n",
     verb_confirm_dead},
    {"mode", OPERATE, "advise|act|hold", "what the manager may do by itself",
     "  --for 1h              then back to what it was\n", verb_mode},
    {"keys", OPERATE, "make|enrol|revoke|list ...", "who may connect",
     "  arbiter keys make alice                            makes alice.key and alice.pub\n"
     "  arbiter keys enrol alice alice.pub --role provider\n"
     "  arbiter keys revoke alice\n"
     "  --keyring FILE        default /etc/arbiter/keyring\n"
     "  --out FILE            of make; default NAME.key\n",
     verb_keys},
    {"import-xl", OPERATE, "FILE.cfg...", "objects and service files from xl.cfg files",
     "  Reads files, on the dom0 that has the disks; changes nothing and starts nothing.\n"
     "  --out FOLDER          site.yaml and NAME.yaml there; default: standard output\n"
     "  --service NAME        all guests as groups of one service; default: one each\n"
     "  --node NODE           disks stay on this node (local); default: copies of an image\n"
     "  --kind web|cluster    of the services; default web\n"
     "  What has no place in Arbiter is a warning that says what it means; mistakes are told\n"
     "  all at once, by file and line. PV and PVH guests only.\n"
     "  arbiter import-xl /etc/xen/web.cfg > web.yaml\n",
     verb_import_xl},

    {"optimize", LEARN, "FILE", "the best allocation for a file, without a daemon",
     "  FILE                  YAML or JSON; - for standard input\n"
     "  --how-many SERVICE    how many more of it fit with every floor kept\n"
     "  -o json               the answer for programs: its form is stable\n"
     "  Exit 7 when minimum caps or memory do not fit on a node.\n\n"
     "  version: 1\n"
     "  objective: floors            # or product\n"
     "  nodes:\n"
     "  - {name: n1, cpu_pct: 3200, mem_mib: 65536, speed: 1.0}\n"
     "  services:\n"
     "  - name: s1\n"
     "    weight: 2\n"
     "    curve: {a: 10, b: 1, w: 0.5}\n"
     "    model: {kind: reciprocal, demand_pct: 150}        # x = demand / r\n"
     "    #      {kind: ps, a_pct: 30, b_pct: 80}           # x = a / (r - b)\n"
     "    #      {kind: table, cap_pct: [100, 200], x: [1.5, 0.6]}\n"
     "    coupling: single           # or sum, gang: several VMs\n"
     "    vms:\n"
     "    - {node: n1, min_cap_pct: 5, max_cap_pct: 400, mem_mib: 512}\n"
     "  r is cap times speed; levels: [{cap_pct, vcpus, mem_mib}] may stand instead of\n"
     "  min and max; also guard, switching_cost, dead_band, previous_cap_pct of a VM.\n",
     verb_optimize},
    {"bench", LEARN, "SCENARIO", "compare schedulers in a simulated cluster",
     "  SCENARIO              a file, or the name of one that comes with Arbiter\n"
     "  --scheduler a,b,...   what is compared, default: default,usage,search\n"
     "                        default: as the files say; schedulers: response_time deadline\n"
     "                        gang search threshold vpa pid fixed; in the place of the\n"
     "                        optimizer: equal proportional usage entitlement oracle\n"
     "  --seeds 1-10          each scheduler meets the same users and the same noise\n"
     "  --set FIELD=VALUE     e.g. world.load=1.25 or world.period=1m\n"
     "  --plot FILE.svg       levels and CPUs over time in the first seed, by gnuplot\n"
     "  Means and standard deviations over the seeds: part of all time under 50 %, weighted\n"
     "  mean level, level of the worst service, caps changed per service and period, moves,\n"
     "  CPU, CPU time of a decision, deviation of a job from its deadline.\n"
     "  arbiter bench standard --scheduler default,threshold --seeds 1-10 --plot bench.svg\n",
     verb_bench},
    {"explain", LEARN, "[PATH]", "what a field of a file means",
     "  arbiter explain service.objective.response_time\n", verb_explain},
    {"completion", LEARN, "bash|zsh|fish", "a script for the shell",
     "  arbiter completion bash > /etc/bash_completion.d/arbiter\n", verb_completion},
    {"help", LEARN, "[VERB]", "this text, or one verb's", "", verb_help},
    {"version", LEARN, "", "versions of program and protocol", "", verb_version},
    {"__complete", NULL, "", "", "", verb_complete},
    {0}};

const struct verb *verb_find(const char *name)
{
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (strcmp(verb->name, name) == 0) {
            return verb;
        }
    }
    return NULL;
}

void verb_print_names(void)
{
    for (const struct verb *verb = verbs; verb->group != NULL; verb++) {
        (void)printf("%s\n", verb->name);
    }
}

int verb_unknown(const struct client *client, const char *word)
{
    struct closest_word closest;
    char suggestion[TEXT_SIZE];
    closest_word_begin(&closest, word);
    for (const struct verb *verb = verbs; verb->group != NULL; verb++) {
        closest_word_offer(&closest, verb->name);
    }
    closest_word_print(&closest, suggestion, sizeof suggestion);
    int code =
        client_error(client, REPLY_INVALID, "there is no verb \"%s\"%s", word, suggestion);
    client_hint("arbiter help");
    return code;
}

static void print_verb(const struct verb *verb)
{
    (void)printf("arbiter %s %s\n  %s\n", verb->name, verb->usage, verb->summary);
    if (verb->details[0] != '\0') {
        (void)printf("\n%s", verb->details);
    }
}

int verb_help(struct client *client, int count, char **words)
{
    if (count > 0) {
        const struct verb *verb = verb_find(words[0]);
        if (verb == NULL || verb->group == NULL) {
            return verb_unknown(client, words[0]);
        }
        print_verb(verb);
        return 0;
    }
    (void)printf("arbiter: services on a Xen cluster, held at their agreed level\n\n"
                 "  arbiter init web > shop.yaml       arbiter apply -f shop.yaml\n"
                 "  arbiter status                     arbiter why shop\n");
    const char *group = "";
    for (const struct verb *verb = verbs; verb->group != NULL; verb++) {
        if (strcmp(group, verb->group) != 0) {
            group = verb->group;
            (void)printf("\n%s\n", group);
        }
        char call[64];
        (void)snprintf(call, sizeof call, "%s %s", verb->name, verb->usage);
        (void)printf("  %-32s %s\n", call, verb->summary);
    }
    (void)printf("\nCommon  -o table|wide|json|yaml|csv|name   --no-header   -q\n"
                 "        -H ENDPOINT   --key FILE   --server-key FILE   --timeout 5m\n"
                 "        --color auto|always|never\n"
                 "Exit    0 done  1 failed  2 usage or file  3 not found  4 denied\n"
                 "        5 unreachable  6 time-out  7 infeasible  8 conflict\n"
                 "Tables may change in any release; scripts read -o json, csv or name.\n");
    return 0;
}

int verb_version(struct client *client, int count, char **words)
{
    (void)client;
    (void)count;
    (void)words;
    (void)printf("arbiter " ARBITER_VERSION "   protocol %d   schema %d\n", PROTOCOL_VERSION,
                 SCHEMA_VERSION);
    return 0;
}
