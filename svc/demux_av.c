/* demux_av.c - see demux.h: libavformat. */
#include "demux.h"
#include "svc/svc.h"

#include <libavformat/avformat.h>
#include <stdlib.h>

struct svc_demux {
    AVFormatContext *av;
    AVPacket *pkt;
    int video, audio; /* stream indexes, audio -1: none */
    struct svc_demux_info info;
};

static bool told(struct svc_demux_info *i, AVRational rate)
{
    if (rate.num <= 0 || rate.den <= 0)
        return false;
    i->fps_num = (uint32_t)rate.num;
    i->fps_den = (uint32_t)rate.den;
    return true;
}

static void note_rate(struct svc_demux *d, enum svc_container container)
{
    const AVStream *st = d->av->streams[d->video];

    if (container == SVC_IVF)
        told(&d->info, av_inv_q(st->time_base));
    else if (container != SVC_OBU_FILE && !told(&d->info, st->avg_frame_rate))
        told(&d->info, st->r_frame_rate);
}

static int find_streams(struct svc_demux *d, enum svc_container container)
{
    d->video = d->audio = -1;
    for (unsigned i = 0; i < d->av->nb_streams; i++) {
        const AVCodecParameters *par = d->av->streams[i]->codecpar;

        if (par->codec_type == AVMEDIA_TYPE_VIDEO && d->video < 0)
            d->video = (int)i;
        if (par->codec_id == AV_CODEC_ID_OPUS && d->audio < 0)
            d->audio = (int)i;
    }
    if (d->video < 0)
        return SVC_ERR_FORMAT;
    const AVCodecParameters *par = d->av->streams[d->video]->codecpar;

    d->info.codec = par->codec_id;
    d->info.extradata = par->extradata;
    d->info.extradata_len = par->extradata_size > 0 ? (size_t)par->extradata_size : 0;
    if (d->audio >= 0) {
        par = d->av->streams[d->audio]->codecpar;
        d->info.has_sound = true;
        d->info.sound_channels = par->ch_layout.nb_channels == 1 ? 1 : 2;
    }
    note_rate(d, container);
    return 0;
}

int svc_demux_open(struct svc_demux **out, const char *path, enum svc_container container)
{
    const AVInputFormat *format = av_find_input_format(svc_container_demuxer(container));
    AVDictionary *options = NULL;
    struct svc_demux *d = calloc(1, sizeof(*d));

    *out = NULL;
    if (!d || !(d->pkt = av_packet_alloc())) {
        free(d);
        return SVC_ERR_NOMEM;
    }
    if (container == SVC_MP4) /* else the last sound is cut off together with the first's lead */
        av_dict_set(&options, "ignore_editlist", "1", 0);
    int err = avformat_open_input(&d->av, path, format, &options);

    av_dict_free(&options);
    if (err < 0)
        err = err == AVERROR(ENOENT) || err == AVERROR(EACCES) || err == AVERROR(EISDIR)
                  ? SVC_ERR_FILE
                  : SVC_ERR_FORMAT;
    else
        err = find_streams(d, container);
    if (err < 0) {
        svc_demux_close(d);
        return err;
    }
    *out = d;
    return 0;
}

const struct svc_demux_info *svc_demux_info(const struct svc_demux *d)
{
    return &d->info;
}

int svc_demux_next(struct svc_demux *d, struct svc_demux_packet *out)
{
    for (;;) {
        av_packet_unref(d->pkt);
        const int av = av_read_frame(d->av, d->pkt);
        if (av == AVERROR_EOF)
            return 0;
        if (av < 0)
            return SVC_ERR_FORMAT;
        const int from = d->pkt->stream_index;
        if (from != d->video && (from != d->audio || d->pkt->size <= 0))
            continue;
        const AVRational clock = d->av->streams[from]->time_base;

        *out = (struct svc_demux_packet){
            .video = from == d->video,
            .corrupt = (d->pkt->flags & AV_PKT_FLAG_CORRUPT) != 0,
            .bytes = d->pkt->data,
            .len = d->pkt->size > 0 ? (size_t)d->pkt->size : 0,
            .has_pts = d->pkt->pts != AV_NOPTS_VALUE,
        };
        if (out->has_pts)
            out->pts = av_rescale_q(d->pkt->pts, clock, svc_us);
        return 1;
    }
}

void svc_demux_close(struct svc_demux *d)
{
    if (!d)
        return;
    avformat_close_input(&d->av);
    av_packet_free(&d->pkt);
    free(d);
}
