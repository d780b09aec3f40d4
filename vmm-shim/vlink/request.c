/* request.c - see request.h. One table of requests and of the members each takes; a new member is a
 * reader and a row. */
#include "request.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define BOTH_WAYS (1u << VLINK_UP | 1u << VLINK_DOWN)

struct reader {
    struct vlink_request *r;
    char *why;
    size_t why_size;
};

static int refuse(struct reader *rd, const char *member, const char *takes)
{
    snprintf(rd->why, rd->why_size, "\"%.32s\" takes %s", member, takes);
    return -1;
}

/* A JSON text into a field; -1: another type, too long, a NUL inside, or empty. */
static int text_of(const json_t *v, char *field, size_t size)
{
    size_t len = json_string_length(v);
    if (!json_is_string(v) || len == 0 || len >= size || strlen(json_string_value(v)) != len)
        return -1;
    memcpy(field, json_string_value(v), len + 1);
    return 0;
}

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("-_.", *text))
            return false;
    return true;
}

static int name_of(struct reader *rd, const char *member, const json_t *v, char *field)
{
    if (text_of(v, field, VLINK_NAME_MAX) == 0 && is_plain(field))
        return 0;
    return refuse(rd, member, "a name of up to 31 letters, digits, - _ and .");
}

static int path_of(struct reader *rd, const char *member, const json_t *v, char *field)
{
    if (text_of(v, field, VLINK_SOCKET_PATH_MAX) == 0)
        return 0;
    return refuse(rd, member, "a socket's path of up to 107 bytes");
}

static int weight_of(struct reader *rd, const char *member, const json_t *v, uint32_t *out)
{
    json_int_t n = json_is_integer(v) ? json_integer_value(v) : 0;
    if (n < 1 || n > VLINK_WEIGHT_MAX)
        return refuse(rd, member, "a whole number from 1 to 1000");
    *out = (uint32_t)n;
    return 0;
}

/* ---- settings ---- */

/* Values are text as in vlink(1); plain numbers and true are taken as what they look like. */
static int value_of(const json_t *v, char *text, size_t size)
{
    if (json_is_true(v)) {
        text[0] = 0;
        return 0;
    }
    if (json_is_integer(v)) {
        snprintf(text, size, "%lld", (long long)json_integer_value(v));
        return 0;
    }
    if (json_is_real(v)) {
        snprintf(text, size, "%.9f", json_real_value(v));
        return 0;
    }
    if (json_is_string(v) && json_string_length(v) == 0) {
        text[0] = 0;
        return 0;
    }
    return text_of(v, text, size);
}

unsigned vlink_inheritable(const char *key)
{
    return strcmp(key, "rate") == 0    ? VLINK_GIVEN_RATE
           : strcmp(key, "delay") == 0 ? VLINK_GIVEN_DELAY
           : strcmp(key, "loss") == 0  ? VLINK_GIVEN_LOSS
                                       : 0;
}

static int check_setting(const struct vlink_setting *s, struct reader *rd)
{
    if (strcmp(s->key, "trace") == 0) {
        if (s->value[0])
            return 0; /* a file: the caller opens it */
        return refuse(rd, "trace", "a file, or \"off\"");
    }
    if (strcmp(s->value, VLINK_INHERIT) == 0 && vlink_inheritable(s->key))
        return 0;
    struct vlink_config scratch;
    vlink_config_init(&scratch);
    return vlink_config_set(&scratch, s->key, s->value, rd->why, rd->why_size);
}

static int read_settings(struct reader *rd, const char *member, const json_t *v, unsigned ways)
{
    const char *key;
    json_t *value;
    if (!json_is_object(v))
        return refuse(rd, member, "an object of settings, like {\"rate\":\"3mbit\"}");
    json_object_foreach((json_t *)(uintptr_t)v, key, value)
    {
        if (rd->r->n_settings == VLINK_SETTINGS_MAX)
            return refuse(rd, member, "no more than 48 settings in all");
        struct vlink_setting *s = &rd->r->setting[rd->r->n_settings];
        *s = (struct vlink_setting){ .ways = ways };
        snprintf(s->key, sizeof s->key, "%.15s", key);
        if (strlen(key) >= sizeof s->key) {
            snprintf(rd->why, rd->why_size, "unknown key \"%.32s\"", key);
            return -1;
        }
        if (value_of(value, s->value, sizeof s->value) < 0)
            return refuse(rd, s->key, "a text of up to 1023 bytes");
        if (check_setting(s, rd) < 0)
            return -1;
        rd->r->n_settings++;
    }
    return 0;
}

static int read_both(struct reader *rd, const json_t *v)
{
    return read_settings(rd, "both", v, BOTH_WAYS);
}

static int read_up(struct reader *rd, const json_t *v)
{
    return read_settings(rd, "up", v, 1u << VLINK_UP);
}

static int read_down(struct reader *rd, const json_t *v)
{
    return read_settings(rd, "down", v, 1u << VLINK_DOWN);
}

/* ---- members of members ---- */

struct member {
    const char *name;
    int (*read)(struct reader *rd, const json_t *v);
};

/* All of object `v` by a NULL-ended table; what is not in the table is an error. */
static int read_members(struct reader *rd, const char *of, const json_t *v,
                        const struct member *table)
{
    const char *key;
    json_t *value;
    if (!json_is_object(v))
        return refuse(rd, of, "an object");
    json_object_foreach((json_t *)(uintptr_t)v, key, value)
    {
        const struct member *m = table;
        while (m->name && strcmp(m->name, key) != 0)
            m++;
        if (!m->name) {
            snprintf(rd->why, rd->why_size, "%s has no \"%.32s\"", of, key);
            return -1;
        }
        if (m->read(rd, value) < 0)
            return -1;
    }
    return 0;
}

static int read_local(struct reader *rd, const json_t *v)
{
    return path_of(rd, "local", v, rd->r->unix_place.local);
}

static int read_remote(struct reader *rd, const json_t *v)
{
    return path_of(rd, "remote", v, rd->r->unix_place.remote);
}

static int read_user(struct reader *rd, const json_t *v)
{
    if (text_of(v, rd->r->unix_place.user, sizeof rd->r->unix_place.user) == 0)
        return 0;
    return refuse(rd, "user", "the name or number of a user");
}

static int read_namespace(struct reader *rd, const json_t *v)
{
    if (text_of(v, rd->r->interface.namespace_, sizeof rd->r->interface.namespace_) == 0)
        return 0;
    return refuse(rd, "namespace", "the name or path of a network namespace");
}

static int read_interface_name(struct reader *rd, const json_t *v)
{
    char *name = rd->r->interface.interface;
    if (text_of(v, name, sizeof rd->r->interface.interface) == 0 && is_plain(name) &&
        strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
        return 0;
    return refuse(rd, "interface", "a name of up to 15 letters, digits, - _ and .");
}

static int read_mac(struct reader *rd, const json_t *v)
{
    char text[18], rest;
    unsigned b[6];
    if (text_of(v, text, sizeof text) < 0 || strlen(text) != 17 ||
        sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
               &rest) != 6 ||
        b[0] & 1)
        return refuse(rd, "mac", "a station's address like 52:54:00:01:02:03");
    for (size_t i = 0; i < 6; i++)
        rd->r->interface.mac[i] = (uint8_t)b[i];
    rd->r->interface.has_mac = true;
    return 0;
}

static int read_mtu(struct reader *rd, const json_t *v)
{
    json_int_t n = json_is_integer(v) ? json_integer_value(v) : 0;
    if (n < 68 || n > VLINK_FRAME_MAX - 18)
        return refuse(rd, "mtu", "a whole number from 68 to 9198");
    rd->r->interface.mtu = (uint32_t)n;
    return 0;
}

static int read_address(struct reader *rd, const json_t *v)
{
    char *text = rd->r->interface.address;
    if (text_of(v, text, sizeof rd->r->interface.address) == 0 &&
        strspn(text, "0123456789abcdefABCDEF:./") == strlen(text) && strchr(text, '/'))
        return 0;
    return refuse(rd, "address", "an address like 10.77.0.1/24");
}

static int read_unix(struct reader *rd, const json_t *v)
{
    static const struct member members[] = {
        { "local", read_local }, { "remote", read_remote }, { "user", read_user }, { NULL, NULL }
    };
    rd->r->kind = VLINK_PORT_UNIX;
    if (read_members(rd, "unix", v, members) < 0)
        return -1;
    if (!rd->r->unix_place.local[0] || !rd->r->unix_place.remote[0])
        return refuse(rd, "unix", "\"local\" and \"remote\", both");
    return 0;
}

static int read_interface(struct reader *rd, const json_t *v, enum vlink_port_kind kind)
{
    static const struct member members[] = { { "namespace", read_namespace },
                                             { "interface", read_interface_name },
                                             { "mac", read_mac },
                                             { "mtu", read_mtu },
                                             { "address", read_address },
                                             { NULL, NULL } };
    rd->r->kind = kind;
    if (read_members(rd, vlink_port_kind_names[kind], v, members) < 0)
        return -1;
    if (!rd->r->interface.interface[0])
        return refuse(rd, vlink_port_kind_names[kind], "at least \"interface\"");
    return 0;
}

static int read_tap(struct reader *rd, const json_t *v)
{
    return read_interface(rd, v, VLINK_PORT_TAP);
}

static int read_veth(struct reader *rd, const json_t *v)
{
    return read_interface(rd, v, VLINK_PORT_VETH);
}

static int read_parent_socket(struct reader *rd, const json_t *v)
{
    return path_of(rd, "socket", v, rd->r->parent.socket);
}

static int read_parent_slice(struct reader *rd, const json_t *v)
{
    return name_of(rd, "slice", v, rd->r->parent.slice);
}

static int read_parent_weight(struct reader *rd, const json_t *v)
{
    return weight_of(rd, "weight", v, &rd->r->parent.weight);
}

static int read_parent(struct reader *rd, const json_t *v)
{
    static const struct member members[] = { { "socket", read_parent_socket },
                                             { "slice", read_parent_slice },
                                             { "weight", read_parent_weight },
                                             { NULL, NULL } };
    rd->r->parent.weight = 1;
    if (read_members(rd, "parent", v, members) < 0)
        return -1;
    if (!rd->r->parent.socket[0] || !rd->r->parent.slice[0])
        return refuse(rd, "parent", "\"socket\" and \"slice\", both");
    return 0;
}

/* ---- members of requests ---- */

static int read_link(struct reader *rd, const json_t *v)
{
    return name_of(rd, "link", v, rd->r->link);
}

static int read_port(struct reader *rd, const json_t *v)
{
    return name_of(rd, "port", v, rd->r->port);
}

static int read_tenant(struct reader *rd, const json_t *v)
{
    return name_of(rd, "tenant", v, rd->r->tenant);
}

static int read_way(struct reader *rd, const char *member, const json_t *v, enum vlink_way *out)
{
    const char *text = json_string_value(v);
    if (!text || (strcmp(text, "up") != 0 && strcmp(text, "down") != 0))
        return refuse(rd, member, "\"up\" or \"down\"");
    *out = strcmp(text, "up") == 0 ? VLINK_UP : VLINK_DOWN;
    return 0;
}

static int read_side(struct reader *rd, const json_t *v)
{
    rd->r->has_side = true;
    return read_way(rd, "side", v, &rd->r->side);
}

static int read_one_way(struct reader *rd, const json_t *v)
{
    enum vlink_way way = VLINK_UP;
    int result = read_way(rd, "way", v, &way);
    rd->r->ways = 1u << way;
    return result;
}

static int read_weight(struct reader *rd, const json_t *v)
{
    return weight_of(rd, "weight", v, &rd->r->weight);
}

static int read_tenants(struct reader *rd, const json_t *v)
{
    return path_of(rd, "tenants", v, rd->r->tenants);
}

static int read_program(struct reader *rd, const json_t *v)
{
    rd->r->has_program = true;
    if (json_is_null(v))
        return 0;
    if (text_of(v, rd->r->program, sizeof rd->r->program) == 0)
        return 0;
    return refuse(rd, "program", "the path of a shared object, or null");
}

static int read_argument(struct reader *rd, const json_t *v)
{
    if (json_is_string(v) && json_string_length(v) == 0)
        return 0;
    if (text_of(v, rd->r->argument, sizeof rd->r->argument) == 0)
        return 0;
    return refuse(rd, "argument", "a text of up to 255 bytes");
}

/* `id` and `do` have been read before all others. */
static int skip(struct reader *rd, const json_t *v)
{
    (void)rd;
    (void)v;
    return 0;
}

#define ALWAYS      \
    { "id", skip }, \
    {               \
        "do", skip  \
    }

static const struct member add_link_members[] = {
    ALWAYS,
    { "link", read_link },
    { "both", read_both },
    { "up", read_up },
    { "down", read_down },
    { "weight", read_weight },
    { "tenants", read_tenants },
    { "parent", read_parent },
    { "program", read_program },
    { "argument", read_argument },
    { NULL, NULL },
};
static const struct member add_port_members[] = {
    ALWAYS,
    { "link", read_link },
    { "port", read_port },
    { "side", read_side },
    { "unix", read_unix },
    { "tap", read_tap },
    { "veth", read_veth },
    { NULL, NULL },
};
static const struct member remove_members[] = {
    ALWAYS, { "link", read_link }, { "port", read_port }, { "tenant", read_tenant }, { NULL, NULL }
};
static const struct member set_members[] = {
    ALWAYS,
    { "link", read_link },
    { "both", read_both },
    { "up", read_up },
    { "down", read_down },
    { "weight", read_weight },
    { NULL, NULL },
};
static const struct member state_members[] = {
    ALWAYS, { "link", read_link }, { "port", read_port }, { "way", read_one_way }, { NULL, NULL }
};
static const struct member stats_members[] = { ALWAYS, { "link", read_link }, { NULL, NULL } };
static const struct member attach_members[] = {
    ALWAYS, { "link", read_link }, { "parent", read_parent }, { NULL, NULL }
};
static const struct member program_members[] = {
    ALWAYS,
    { "link", read_link },
    { "path", read_program },
    { "program", read_program },
    { "argument", read_argument },
    { NULL, NULL },
};

static const struct form {
    const char *name;
    enum vlink_do what;
    const struct member *members;
} forms[] = {
    { "add", VLINK_DO_ADD_LINK, add_link_members }, /* without a "port" */
    { "add", VLINK_DO_ADD_PORT, add_port_members },
    { "remove", VLINK_DO_REMOVE, remove_members },
    { "set", VLINK_DO_SET, set_members },
    { "up", VLINK_DO_UP, state_members },
    { "down", VLINK_DO_DOWN, state_members },
    { "stats", VLINK_DO_STATS, stats_members },
    { "attach", VLINK_DO_ATTACH, attach_members },
    { "program", VLINK_DO_PROGRAM, program_members },
    { NULL, 0, NULL },
};

/* ---- a whole request ---- */

static int check_whole(struct reader *rd, const json_t *root)
{
    const struct vlink_request *r = rd->r;
    if (r->what != VLINK_DO_STATS && !r->link[0])
        return refuse(rd, "do", "a \"link\" beside it");
    size_t kinds = 0;
    for (size_t kind = 0; kind < VLINK_PORT_KINDS; kind++)
        kinds += json_object_get(root, vlink_port_kind_names[kind]) != NULL;
    if (r->what == VLINK_DO_ADD_PORT && kinds != 1)
        return refuse(rd, "add", "one of \"unix\", \"tap\" and \"veth\" for a port");
    if (r->what == VLINK_DO_ATTACH && !r->parent.socket[0])
        return refuse(rd, "attach", "a \"parent\"");
    if (r->what == VLINK_DO_PROGRAM && !r->has_program)
        return refuse(rd, "program", "a \"path\", or null for none");
    if (r->what == VLINK_DO_REMOVE && r->port[0] && r->tenant[0])
        return refuse(rd, "remove", "a port or a tenant, not both");
    return 0;
}

static int parse_root(struct reader *rd, const json_t *root)
{
    const json_t *id = json_object_get(root, "id"), *what = json_object_get(root, "do");
    if (!json_is_object(root)) {
        snprintf(rd->why, rd->why_size, "a request is a JSON object, like {\"do\":\"stats\"}");
        return -1;
    }
    rd->r->has_id = json_is_integer(id);
    rd->r->id = json_integer_value(id);
    if (id && !rd->r->has_id)
        return refuse(rd, "id", "a whole number");
    bool with_port = json_object_get(root, "port") != NULL;
    const struct form *f = forms;
    const char *name = json_is_string(what) ? json_string_value(what) : "";
    while (f->name && (strcmp(f->name, name) != 0 || (f->what == VLINK_DO_ADD_LINK && with_port)))
        f++;
    if (!f->name)
        return refuse(rd, "do", "add, remove, set, up, down, stats, attach or program, as a text");
    rd->r->what = f->what;
    rd->r->ways = BOTH_WAYS;
    if (read_members(rd, name, root, f->members) < 0)
        return -1;
    return check_whole(rd, root);
}

/* One line of plain text, whatever was quoted from the request, and however it was cut. */
static void make_plain(char *why)
{
    for (; *why; why++)
        if ((unsigned char)*why < 0x20 || (unsigned char)*why > 0x7e)
            *why = '?';
}

int vlink_request_parse(struct vlink_request *out, const char *line, size_t len, char *why,
                        size_t why_size)
{
    json_error_t error;
    struct reader rd = { .r = out, .why = why, .why_size = why_size };
    memset(out, 0, sizeof *out);
    json_t *root = len <= VLINK_REQUEST_BYTES_MAX
                       ? json_loadb(line, len, JSON_REJECT_DUPLICATES, &error)
                       : NULL;
    if (!root) {
        snprintf(why, why_size, "not a line of JSON: %.128s",
                 len <= VLINK_REQUEST_BYTES_MAX ? error.text : "longer than 65536 bytes");
        make_plain(why);
        return -1;
    }
    int result = parse_root(&rd, root);
    json_decref(root);
    if (result < 0)
        make_plain(why);
    return result;
}
