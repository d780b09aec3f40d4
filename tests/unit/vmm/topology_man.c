/*
 * topology_man.c - the tables of keys as vmm-topology(5).
 *
 *     topology_man > docs/man/vmm-topology.5
 */
#include <stdio.h>
#include <string.h>

#include "topology/keys.h"

static const char head[] =
    ".TH VMM-TOPOLOGY 5 \"\" \"svc-suite\" \"File Formats\"\n"
    ".SH NAME\n"
    "vmm-topology \\- what nodes and links vmm-shim makes\n"
    ".SH DESCRIPTION\n"
    "A YAML file that\n"
    ".BR \"vmm-shim up\" (1)\n"
    "makes a slice of: nodes, by name, and links between them. Keys that are unknown, there twice "
    "or out of\n"
    "their range, and nodes that are not there, are refused with a line that names file, line and "
    "key.\n"
    "Names of nodes, links and slices have at most 15 of a-z, 0-9 and -, and begin with no -.\n"
    "Names of files are relative to the folder that the file is in.\n"
    ".PP\n"
    "Every node has\n"
    ".I /etc/hosts\n"
    "with the names of all nodes, and in\n"
    ".I /etc/slice\n"
    "the files\n"
    ".IR ca.pem , cert.pem \" and \" key.pem :\n"
    "a certificate for its name and addresses by an authority of the slice. Its interfaces are "
    "eth0, eth1, ...\n"
    "in the order of the links it is an end of.\n"
    ".PP\n"
    "In any value\n"
    ".BI ${ NAME }\n"
    "stands for what\n"
    ".B vmm-shim up \\-\\-set\n"
    ".IB NAME = VALUE\n"
    "or the environment gives, and\n"
    ".BI ${ NAME :\\- DEFAULT }\n"
    "for DEFAULT when that is nothing; $$ is a dollar. In {...} and [...] such a value needs "
    "quotes. What comes\n"
    "out is a text and never becomes structure.\n"
    "YAML's anchors and aliases may be used, and \"<<: *NAME\" for keys that a map has unless it "
    "says otherwise.\n"
    "A file has at most 256 KiB, 32 nodes and 32 links.\n"
    ".PP\n"
    "Times have a unit: us, ms, s. Sizes too: K, M, G, powers of 1024. In brackets stand what a "
    "key takes, and\n"
    "what holds without it.\n";

static const char tail[] =
    ".SH MEDIA AND PROGRAMS\n"
    ".BI program: NAME\n"
    "is looked for in the folders of\n"
    ".BR VMM_SHIM_PATH ,\n"
    "beside vmm-shim, in its build tree, and in\n"
    ".BR PATH ;\n"
    ".BI media: NAME\n"
    "in those of\n"
    ".BR VMM_SHIM_MEDIA ,\n"
    "in the build tree, and in\n"
    ".IR /usr/share/svc\\-suite/media ,\n"
    "where\n"
    ".I small.ivf\n"
    "is, ten seconds of 320x180.\n"
    "A guest's command that is among no files is looked for among the small programs for guests.\n"
    ".SH EXAMPLE\n"
    ".nf\n"
    "nodes:\n"
    "  server:\n"
    "    run: program:svc\\-server media:small.ivf \\-\\-loop \\-\\-cert /etc/slice/cert.pem "
    "\\-\\-key "
    "/etc/slice/key.pem\n"
    "  player:\n"
    "    need: {wake_latency: 1ms}\n"
    "    run: program:svc\\-player moqt://server/demo \\-\\-ca /etc/slice/ca.pem \\-\\-headless "
    "\\-\\-duration 10 \\-\\-json \\-\n"
    "    after_all: true\n"
    "    result: true\n"
    "links:\n"
    "  lte: {between: [server, player], up: {trace: lte.mm}, delay: 25ms}\n"
    "  wifi: {between: [server, player], rate: 2mbit, delay: 8ms, loss: 0.5%}\n"
    ".fi\n"
    ".PP\n"
    "More are in\n"
    ".IR /usr/share/doc/svc\\-suite/examples .\n"
    ".SH SEE ALSO\n"
    ".BR vmm\\-shim (1),\n"
    ".BR vlink (1)\n";

/* A text with what roff would take for its own made harmless. */
static void put(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++)
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
}

static void put_kinds(unsigned kinds)
{
    static const char *const names[] = { "guests", "processes", "namespaces" };
    const char *between = " Only for ";
    for (unsigned i = 0; i < 3; i++) {
        if (kinds & 1u << i) {
            printf("%s%s", between, names[i]);
            between = " and ";
        }
    }
    if (kinds)
        putchar('.');
}

static void put_key(const struct vmm_key *k)
{
    char takes[VMM_READER_TEXT];
    printf(".TP\n.B ");
    put(k->name);
    printf("\n[");
    put(vmm_key_takes(k, takes));
    if (k->unset) {
        fputs("; ", stdout);
        put(k->unset);
    }
    fputs("]\n", stdout);
    put(k->doc);
    put_kinds(k->kinds);
    putchar('\n');
}

static void put_section(const char *title, const char *intro, const struct vmm_section *s)
{
    printf(".SH %s\n%s", title, intro);
    for (const struct vmm_key *k = s->key; k->name; k++)
        put_key(k);
}

int main(void)
{
    fputs(head, stdout);
    put_section("KEYS OF THE FILE", "", &vmm_root_keys);
    put_section("KEYS OF A NODE", "", &vmm_node_keys);
    put_section("KEYS OF A FILE", "Of each in\n.BR files ,\nunless it is a text.\n",
                &vmm_file_keys);
    put_section("KEYS OF A NEED",
                "Of\n.BR need ;\nall of them have to be satisfied, by measured figures.\n",
                &vmm_need_keys);
    put_section("KEYS OF REAL TIME", "Of\n.BR real_time \" and \" network ;\nthey take root.\n",
                &vmm_real_time_keys);
    put_section("KEYS OF A SHARE", "Of\n.BR share ;\nthey take root.\n", &vmm_share_keys);
    put_section("KEYS OF A LINK",
                "What a link does to frames stands at the link itself, for both directions, or in\n"
                ".BR up \" or \" down ,\nwhich win there.\n",
                &vmm_link_keys);
    fputs(tail, stdout);
    return 0;
}
