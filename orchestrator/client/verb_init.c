// SPDX-License-Identifier: Apache-2.0
/* init: commented examples of services. explain: what a field means. */
#include <string.h>

#include "orchestrator/client/verb.h"
#include "proto/text.h"

static const char web[] =
    "# A web service: requests come in at one address and are spread over its VMs.\n"
    "version: 1\n"
    "service: shop\n"
    "kind: web\n"
    "objective:\n"
    "  response_time: {p95: 200ms, window: 30s}   # or mean: 120ms\n"
    "  weight: 2                                  # counts twice against your others\n"
    "entry:\n"
    "  listen: 10.0.8.10:80\n"
    "  check_path: /healthz\n"
    "  check_every: 2s\n"
    "vms:\n"
    "  - name: web\n"
    "    count: 2\n"
    "    image: debian12-web\n"
    "    vcpus: 2\n"
    "    cpu: {min: 0.5, max: 2.0}                # cores: the range that the manager may use\n"
    "    memory: 1GiB\n"
    "    port: 80\n"
    "    spread: true                             # not two on one node\n";

static const char queue[] =
    "# A job in independent tasks that must be done by a deadline.\n"
    "version: 1\n"
    "service: render\n"
    "kind: queue\n"
    "objective:\n"
    "  within: 2h                                 # or deadline: 2026-12-01T18:00:00+01:00\n"
    "queue:\n"
    "  tasks: 7200\n"
    "  task_cpu: 1s                               # CPU time of one task\n"
    "when_done: stop                              # or keep\n"
    "vms:\n"
    "  - name: worker\n"
    "    count: 4\n"
    "    image: debian12-worker\n"
    "    cpu: {min: 0.1, max: 1.0}\n"
    "    memory: 512MiB\n";

static const char cluster[] =
    "# A virtual cluster: ranks that work in step, so the slowest one sets the pace.\n"
    "version: 1\n"
    "service: cfd\n"
    "kind: cluster\n"
    "objective:\n"
    "  speed: 90%                                 # of the speed with all VCPUs to itself\n"
    "vms:\n"
    "  - name: rank\n"
    "    count: 4                                 # all ranks always get the same cap\n"
    "    image: debian12-openmpi\n"
    "    vcpus: 1\n"
    "    cpu: {min: 0.5, max: 1.0}\n"
    "    memory: 1GiB\n";

static const char site[] =
    "# What only the administrator writes. Documents are separated by lines of three dashes.\n"
    "version: 1\n"
    "image: debian12-web\n"
    "format: raw                                  # raw, tar (containers) or model\n"
    "source: file:///srv/images/debian12-web.img  # or http://, https://\n"
    "sha256: 0000000000000000000000000000000000000000000000000000000000000000\n"
    "kernel: /boot/vmlinuz\n"
    "ramdisk: /boot/initrd.img\n"
    "command_line: root=/dev/xvda ro\n"
    "---\n"
    "version: 1\n"
    "agreement: alice                             # the provider's name, as its key is "
    "enrolled\n"
    "weight: 2\n"
    "cpu: 8.0                                     # quota over minimum caps\n"
    "memory: 16GiB\n"
    "vms: 20\n";

int verb_init(struct client *client, int count, char **words)
{
    static const struct {
        const char *word;
        const char *text;
    } examples[] = {{"web", web}, {"queue", queue}, {"cluster", cluster}, {"site", site}};
    for (size_t i = 0; count == 1 && i < sizeof examples / sizeof *examples; i++) {
        if (strcmp(words[0], examples[i].word) == 0) {
            (void)fputs(examples[i].text, stdout);
            return 0;
        }
    }
    int code =
        client_error(client, REPLY_INVALID, "expected one of: web, queue, cluster, site");
    client_hint("arbiter init web > shop.yaml");
    return code;
}

int verb_explain(struct client *client, int count, char **words)
{
    struct err err = {0};
    if (count > 1) {
        return client_error(client, REPLY_INVALID,
                            "expected one path, such as service.objective");
    }
    if (text_explain(stdout, count == 1 ? words[0] : "", &err) != 0) {
        return client_error(client, REPLY_NOT_FOUND, "%s", err.text);
    }
    return 0;
}
