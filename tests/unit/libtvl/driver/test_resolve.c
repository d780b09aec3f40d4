/* test_resolve.c - the addresses of a name: in the resolver's order, the families taking turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

#include <tvl/ev.h>

#define ADDRESSES_MAX 4

/* ---- a resolver: the addresses that the test says, port 4433 ---- */

static const char *const *answer; /* ends with NULL */
static struct addrinfo list[8];
static struct sockaddr_storage address[8];

static struct addrinfo *entry(size_t i)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address[i];
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address[i];
    const bool is_v6 = strchr(answer[i], ':');

    memset(&address[i], 0, sizeof address[i]);
    address[i].ss_family = is_v6 ? AF_INET6 : AF_INET;
    v6->sin6_port = htons(4433); /* at one place in both */
    assert_int_equal(inet_pton(address[i].ss_family, answer[i],
                               is_v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr),
                     1);
    list[i] = (struct addrinfo){ .ai_family = address[i].ss_family,
                                 .ai_addr = (struct sockaddr *)&address[i],
                                 .ai_addrlen = is_v6 ? sizeof *v6 : sizeof *v4,
                                 .ai_next = answer[i + 1] ? entry(i + 1) : NULL };
    return &list[i];
}

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out)
{
    assert_string_equal(host, "relay.example");
    assert_string_equal(port, "4433");
    (void)hints;
    if (!answer[0])
        return EAI_NONAME;
    *out = entry(0);
    return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *given);
void __wrap_freeaddrinfo(struct addrinfo *given)
{
    assert_ptr_equal(given, list);
}

/* ---- tests ---- */

static void expect(const char *const *found, const char *const *wanted)
{
    char out[ADDRESSES_MAX][TVL_EV_ADDRESS_MAX];
    int n = 0;

    answer = found;
    while (wanted[n])
        n++;
    assert_int_equal(tvl_ev_resolve("relay.example:4433", out, ADDRESSES_MAX), n);
    for (int i = 0; i < n; i++)
        assert_string_equal(out[i], wanted[i]);
}

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void families_take_turns(void **state)
{
    (void)state;
    expect(LIST("2001:db8::1", "2001:db8::2", "192.0.2.1"),
           LIST("[2001:db8::1]:4433", "192.0.2.1:4433", "[2001:db8::2]:4433"));
    expect(LIST("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "192.0.2.4"),
           LIST("192.0.2.1:4433", "[2001:db8::1]:4433", "192.0.2.2:4433", "192.0.2.3:4433"));
}

static void one_family_keeps_its_order(void **state)
{
    (void)state;
    expect(LIST("192.0.2.9", "192.0.2.1"), LIST("192.0.2.9:4433", "192.0.2.1:4433"));
}

static void unknown_name(void **state)
{
    char out[ADDRESSES_MAX][TVL_EV_ADDRESS_MAX];

    (void)state;
    answer = (const char *const[]){ NULL };
    assert_int_equal(tvl_ev_resolve("relay.example:4433", out, ADDRESSES_MAX), TVL_ERR_ARG);
    assert_int_equal(tvl_ev_resolve("relay.example", out, ADDRESSES_MAX), TVL_ERR_ARG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_take_turns),
        cmocka_unit_test(one_family_keeps_its_order),
        cmocka_unit_test(unknown_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
