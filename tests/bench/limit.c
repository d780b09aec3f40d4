/*
 * limit.c - the yardstick: what the kernel and AES-128-GCM cost without any protocol.
 *
 * A sender seals packets as libtvl's would be (short header, 8 bytes of connection ID, a STREAM
 * frame's header, 16 bytes of tag, 1472 bytes in all) into batches of 64 KB and hands each to the
 * kernel as one UDP_SEGMENT message; a receiver takes them by UDP_GRO and opens each. The same EVP
 * calls as libtvl's. A count of bytes goes back now and then so that nothing is dropped.
 *
 * usage: limit MEGABYTES [buffered]
 * buffered: the sender's bytes first go from a megabyte of the application's into a buffer as large
 * as that of a libtvl stream, and are sealed from there: a limit for what keeps bytes until they
 * are acknowledged. Not what ./run bench compares with. The last line is a JSON object, per
 * gigabyte (10^9 bytes) of payload.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <openssl/evp.h>

#include "measure.h"

#define PACKET 1472u
#define HEAD 12u  /* first byte, connection ID, 3 bytes of packet number */
#define FRAME 10u /* STREAM frame: type, ID, offset, length */
#define TAG 16u
#define PAYLOAD (PACKET - HEAD - FRAME - TAG)
#define BATCH 44u         /* packets: just below 64 KB */
#define WINDOW (1u << 20) /* bytes on the way at once */

#define APP (1u << 20)     /* bytes the application writes from */
#define BUFFER (16u << 20) /* bytes, TVL_STREAM_BUFFER_MAX */

struct source {
    uint8_t *ring, *app;
    size_t size, at; /* size 0: one packet again and again */
};

static const uint8_t key[16] = "limit of AES-128";

static EVP_CIPHER_CTX *keyed(int seal)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (!ctx || EVP_CipherInit_ex(ctx, EVP_aes_128_gcm(), NULL, key, NULL, seal) != 1)
        exit(2);
    return ctx;
}

static void set_nonce(uint8_t nonce[12], uint64_t pn)
{
    memset(nonce, 0, 12);
    memcpy(nonce + 4, &pn, sizeof pn);
}

static void seal(EVP_CIPHER_CTX *ctx, uint64_t pn, const uint8_t *plain, uint8_t *packet)
{
    uint8_t nonce[12];
    int n;

    set_nonce(nonce, pn);
    memset(packet, 0x42, HEAD);
    memcpy(packet + HEAD - 3, &pn, 3);
    if (EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, nonce) != 1 ||
        EVP_EncryptUpdate(ctx, NULL, &n, packet, HEAD) != 1 ||
        EVP_EncryptUpdate(ctx, packet + HEAD, &n, plain, PAYLOAD + FRAME) != 1 ||
        EVP_EncryptFinal_ex(ctx, packet + PACKET - TAG, &n) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, packet + PACKET - TAG) != 1)
        exit(2);
}

static void open_sealed(EVP_CIPHER_CTX *ctx, uint64_t pn, uint8_t *packet)
{
    uint8_t nonce[12];
    int n;

    set_nonce(nonce, pn);
    if (EVP_DecryptInit_ex(ctx, NULL, NULL, NULL, nonce) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, packet + PACKET - TAG) != 1 ||
        EVP_DecryptUpdate(ctx, NULL, &n, packet, HEAD) != 1 ||
        EVP_DecryptUpdate(ctx, packet + HEAD, &n, packet + HEAD, PAYLOAD + FRAME) != 1 ||
        EVP_DecryptFinal_ex(ctx, packet + PACKET - TAG, &n) != 1) {
        fputs("limit: a packet was lost or damaged\n", stderr);
        exit(2);
    }
}

static void send_batch(int fd, uint8_t *batch, size_t len)
{
    char control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
    const uint16_t segment = PACKET;
    struct iovec iov = { batch, len };
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = IPPROTO_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof segment);
    memcpy(CMSG_DATA(c), &segment, sizeof segment);
    if (sendmsg(fd, &m, 0) != (ssize_t)len)
        exit(2);
}

/* The next packet's bytes: always the same, or out of the buffer, which is filled half by half. */
static const uint8_t *next_plain(struct source *s)
{
    const size_t half = s->size / 2;

    if (s->size == 0)
        return s->ring;
    if (s->at + PACKET > s->size)
        s->at = 0;
    if (s->at == 0 || (s->at >= half && s->at - PAYLOAD < half))
        for (size_t i = 0; i < half; i += APP)
            memcpy(s->ring + (s->at == 0 ? half : 0) + i, s->app, APP);
    s->at += PAYLOAD;
    return s->ring + s->at - PAYLOAD;
}

static double sender(int fd, uint64_t packets, struct source *source)
{
    EVP_CIPHER_CTX *ctx = keyed(1);
    uint8_t *batch = malloc((size_t)BATCH * PACKET);
    uint64_t heard = 0, pn = 0;

    while (pn < packets) {
        size_t n = 0;

        while (pn * PACKET > heard + WINDOW)
            if (recv(fd, &heard, sizeof heard, 0) != (ssize_t)sizeof heard)
                exit(2);
        for (; n < BATCH && pn < packets; n++)
            seal(ctx, pn++, next_plain(source), batch + n * PACKET);
        send_batch(fd, batch, n * PACKET);
    }
    EVP_CIPHER_CTX_free(ctx);
    free(batch);
    return measure_cpu();
}

static double receiver(int fd, uint64_t packets)
{
    EVP_CIPHER_CTX *ctx = keyed(0);
    uint8_t *batch = malloc(65536);
    uint64_t pn = 0, told = 0;

    while (pn < packets) {
        const ssize_t len = recv(fd, batch, 65536, 0);

        if (len <= 0 || len % PACKET != 0)
            exit(2);
        for (ssize_t at = 0; at < len; at += PACKET)
            open_sealed(ctx, pn++, batch + at);
        if (pn * PACKET - told >= WINDOW / 4) {
            told = pn * PACKET;
            if (send(fd, &told, sizeof told, 0) != (ssize_t)sizeof told)
                exit(2);
        }
    }
    EVP_CIPHER_CTX_free(ctx);
    free(batch);
    return measure_cpu();
}

static int udp(struct sockaddr_in *bound)
{
    const int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1, size = 4 << 20;
    socklen_t len = sizeof *bound;

    *bound = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    if (fd < 0 || setsockopt(fd, IPPROTO_UDP, UDP_GRO, &one, sizeof one) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) != 0 ||
        bind(fd, (struct sockaddr *)bound, sizeof *bound) != 0 ||
        getsockname(fd, (struct sockaddr *)bound, &len) != 0) {
        perror("limit: UDP with GRO");
        exit(2);
    }
    return fd;
}

int main(int argc, char **argv)
{
    const uint64_t packets = (argc > 1 ? strtoull(argv[1], NULL, 10) : 1000) * 1000000 / PAYLOAD;
    const double gb = (double)(packets * PAYLOAD) / 1e9;
    struct source source = { .size = argc > 2 && strcmp(argv[2], "buffered") == 0 ? BUFFER : 0 };
    struct sockaddr_in to_sender, to_receiver;
    const int out = udp(&to_sender), in = udp(&to_receiver);
    double recv_cpu = 0, send_cpu;
    int report[2], status = 0;

    if (connect(out, (struct sockaddr *)&to_receiver, sizeof to_receiver) != 0 ||
        connect(in, (struct sockaddr *)&to_sender, sizeof to_sender) != 0 || pipe(report) != 0)
        return 2;
    const pid_t child = fork();
    if (child == 0) {
        measure_pin(MEASURE_RECEIVER_CORE);
        recv_cpu = receiver(in, packets);
        _exit(write(report[1], &recv_cpu, sizeof recv_cpu) == (ssize_t)sizeof recv_cpu ? 0 : 2);
    }
    measure_pin(MEASURE_SENDER_CORE);
    source.ring = calloc(1, source.size + PACKET);
    source.app = calloc(1, APP);
    send_cpu = sender(out, packets, &source);
    free(source.ring);
    free(source.app);
    if (read(report[0], &recv_cpu, sizeof recv_cpu) != (ssize_t)sizeof recv_cpu ||
        waitpid(child, &status, 0) != child || status != 0)
        return 2;
    printf("{\"limit_send\": %.3f, \"limit_recv\": %.3f}\n", send_cpu / gb, recv_cpu / gb);
    return 0;
}
