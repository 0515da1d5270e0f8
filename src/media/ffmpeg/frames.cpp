#include "media/ffmpeg/frames.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "media/ffmpeg/lookahead.h"
#include "media/ffmpeg/picture.h"
#include "media/frame_selector.h"

namespace sheaf::media {
namespace {

constexpr int kThreads = 2;

class FrameSampler {
public:
    FrameSampler(Input& input, const wire::Job& job, Answer& answer, int index)
        : input_(input),
          job_(job),
          answer_(answer),
          stream_(input.stream(index)),
          sampling_(plan_sampling(job.request, span())),
          maker_(job.request, libav::orientation_of(stream_)),
          packet_(av_packet_alloc()),
          frame_(av_frame_alloc()) {}

    Result<wire::End> run() {
        if (!packet_ || !frame_) return libav::failure(AVERROR(ENOMEM), "Decoding");
        const bool keys = choose_key_frames();
        auto decoder = libav::open_decoder(
            stream_, {.threads = keys ? 1 : kThreads, .pixels_max = job_.limits.pixels_max});
        if (!decoder) return std::unexpected(decoder.error());
        decoder_ = std::move(*decoder);
        if (auto done = keys ? sample_key_frames() : sample_all(); !done)
            return std::unexpected(done.error());
        if (decoded_ == 0 && packets_failed_ > 0) {
            return fail(ErrorCode::invalid, "None of the video's pictures can be decoded.");
        }
        return wire::End{.key_frames_only = keys, .frames_decoded = decoded_};
    }

private:
    VideoSpan span() const {
        VideoSpan found;
        const auto& format = input_.format();
        if (job_.known_start) {
            found.start = *job_.known_start;
        } else if (stream_.start_time != AV_NOPTS_VALUE) {
            found.start = libav::seconds(stream_.start_time, stream_);
        }
        if (job_.known_end) {
            found.end = job_.known_end;
        } else if (stream_.duration != AV_NOPTS_VALUE && stream_.duration > 0) {
            found.end = found.start + libav::seconds(stream_.duration, stream_);
        } else if (format.duration != AV_NOPTS_VALUE && format.duration > 0) {
            found.end = found.start + static_cast<double>(format.duration) / AV_TIME_BASE;
        }
        if (stream_.avg_frame_rate.num > 0 && stream_.avg_frame_rate.den > 0) {
            found.fps = av_q2d(stream_.avg_frame_rate);
        } else if (stream_.r_frame_rate.num > 0 && stream_.r_frame_rate.den > 0) {
            found.fps = av_q2d(stream_.r_frame_rate);
        }
        return found;
    }

    std::int64_t to_stamp(double seconds) const {
        const double stamp = seconds / av_q2d(stream_.time_base);
        return static_cast<std::int64_t>(std::clamp(stamp, -4e18, 4e18));
    }

    // Reads on to the next packet of the video, and tells its time.
    bool read_packet(double& time) {
        for (;;) {
            av_packet_unref(packet_.get());
            const int code = av_read_frame(&input_.format(), packet_.get());
            if (code < 0) return false;
            if (packet_->stream_index != stream_.index) continue;
            const auto stamp = libav::stamp_of(*packet_);
            time = stamp == AV_NOPTS_VALUE ? untimed() : libav::seconds(stamp, stream_);
            return true;
        }
    }

    // Pictures without a time follow one another at the stream's rate.
    double untimed() {
        const double fps = span().fps > 0 ? span().fps : 25;
        return span().start + static_cast<double>(untimed_++) / fps;
    }

    bool is_key() const { return (packet_->flags & AV_PKT_FLAG_KEY) != 0; }

    void rewind() {
        auto& format = input_.format();
        if (avformat_seek_file(&format, -1, INT64_MIN, INT64_MIN + 1, INT64_MAX, 0) >= 0) return;
        if (av_seek_frame(&format, stream_.index, to_stamp(span().start), AVSEEK_FLAG_BACKWARD) >= 0) return;
        av_seek_frame(&format, stream_.index, 0, AVSEEK_FLAG_BYTE | AVSEEK_FLAG_BACKWARD);
    }

    // So that the next key frame is at the window's start or before it.
    void seek_to_window() {
        const double start = span().start;
        const double from = sampling_.from;
        if (!(from > start)) {
            if (moved_) rewind();
            moved_ = false;
            return;
        }
        moved_ = true;
        // Containers search by decoding time, and some land behind: then from further back.
        for (const double back : {0.0, 1.0, 4.0, 16.0, 64.0}) {
            const double target = from - back;
            if (target <= start) break;
            if (av_seek_frame(&input_.format(), stream_.index, to_stamp(target), AVSEEK_FLAG_BACKWARD) < 0)
                break;
            double time = 0;
            bool found = false;
            while (read_packet(time)) {
                if (is_key()) {
                    found = true;
                    break;
                }
            }
            if (found && time <= from + 1e-6) {
                if (av_seek_frame(&input_.format(), stream_.index, to_stamp(target), AVSEEK_FLAG_BACKWARD) >=
                    0)
                    return;
                break;
            }
        }
        rewind();
    }

    bool choose_key_frames() {
        switch (job_.request.mode) {
            case DecodeMode::all:
                return false;
            case DecodeMode::automatic:
            case DecodeMode::key_frames:
                break;
        }
        const auto keys = find_keys();
        const double gap = usual_gap(keys);
        const bool chosen =
            job_.request.mode == DecodeMode::key_frames || key_frames_are_enough(sampling_, keys, span().end);
        // Key frames do not fall on the wanted moments: the nearest stands for each.
        if (chosen && sampling_.step > 0)
            sampling_.early = std::max(sampling_.early, std::min(sampling_.step, gap) / 2);
        return chosen;
    }

    // The times of the key frames in the window, until they prove too sparse.
    std::vector<double> find_keys() {
        std::vector<double> keys;
        const bool indexed = std::string_view(input_.format().iformat->name).starts_with("mov,");
        const int count = avformat_index_get_entries_count(&stream_);
        if (indexed && count > 0) {
            for (int n = 0; n < count; ++n) {
                const auto* entry = avformat_index_get_entry(&stream_, n);
                if (!(entry->flags & AVINDEX_KEYFRAME)) continue;
                keys.push_back(libav::seconds(entry->timestamp, stream_));
                indexed_keys_.push_back(entry->timestamp);
            }
            return keys;
        }
        const bool any_spacing = job_.request.mode == DecodeMode::key_frames;
        if (sampling_.step <= 0) return keys;
        seek_to_window();
        moved_ = true;
        double time = 0;
        double last = sampling_.origin;
        while (read_packet(time)) {
            if (is_key()) {
                keys.push_back(time);
                last = std::max(last, time);
                if (time >= sampling_.until) break;
            }
            if (time - last > sampling_.step * 2 + 1) break;
            // Where any spacing will do, a few tell the usual one.
            if (any_spacing && keys.size() >= 16) break;
        }
        return keys;
    }

    Result<> sample_key_frames() {
        decoder_->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
        FrameSelector selector(sampling_);
        if (!indexed_keys_.empty()) return sample_indexed_key_frames(selector);
        seek_to_window();
        double time = 0;
        while (read_packet(time)) {
            if (selector.done(time)) break;
            if (!is_key() || !selector.take(time)) continue;
            if (auto decoded = decode_alone(time); !decoded) return decoded;
        }
        return {};
    }

    // Goes from one wanted key frame to the next. (The demuxer's own way to leave out the others,
    // AVDISCARD_NONKEY, gives wrong times in FFmpeg 5.1: it forgets to pass over their time offsets.)
    Result<> sample_indexed_key_frames(FrameSelector& selector) {
        double reorder = 0;  // how much later than its place in the index a key frame is shown
        double time = 0;
        for (std::size_t n = 0; n < indexed_keys_.size(); ++n) {
            const std::int64_t stamp = indexed_keys_[n];
            const double expected = libav::seconds(stamp, stream_) + reorder;
            if (selector.done(expected)) break;
            FrameSelector trial = selector;
            // The first tells the difference.
            if (reorder != 0 && !trial.take(expected)) continue;
            if (reorder == 0 && expected < sampling_.from - 1) continue;
            // A moment before the next one: some versions search by the time in the index, some by that of
            // showing.
            const std::int64_t moment =
                n + 1 < indexed_keys_.size() ? indexed_keys_[n + 1] - 1 : stamp + to_stamp(60);
            if (av_seek_frame(&input_.format(), stream_.index, moment, AVSEEK_FLAG_BACKWARD) < 0) continue;
            if (!read_packet(time) || !is_key()) continue;
            reorder = time - libav::seconds(stamp, stream_);
            if (!selector.take(time)) continue;
            if (auto decoded = decode_alone(time); !decoded) return decoded;
        }
        return {};
    }

    // By itself and at once: nothing that follows is needed to show a key frame.
    Result<> decode_alone(double time) {
        int code = avcodec_send_packet(decoder_.get(), packet_.get());
        if (code >= 0) avcodec_send_packet(decoder_.get(), nullptr);
        if (code >= 0) code = avcodec_receive_frame(decoder_.get(), frame_.get());
        if (code == AVERROR(ENOMEM)) return libav::failure(code, "Decoding the video");
        Result<> added;
        if (code >= 0) {
            ++decoded_;
            added = add(time);
        } else {
            ++packets_failed_;
        }
        avcodec_flush_buffers(decoder_.get());
        return added;
    }

    Result<> sample_all() {
        seek_to_window();
        FrameSelector selector(sampling_);
        Lookahead lookahead(sampling_);
        const bool may_skip = job_.request.mode == DecodeMode::automatic && sampling_.step > 0;
        bool after_key = !moved_;
        bool more = true;
        for (;;) {
            double time = 0;
            while (more && !lookahead.full()) {
                more = read_packet(time);
                // What refers to pictures before the place we came to would be grey.
                if (!more || (!after_key && !is_key())) continue;
                after_key = true;
                if (!lookahead.add(*packet_, time))
                    return libav::failure(AVERROR(ENOMEM), "Decoding the video");
            }
            const auto next = lookahead.take();
            // Pictures that nobody wants and no other picture refers to are passed over.
            decoder_->skip_frame =
                may_skip && next.packet && !next.wanted ? AVDISCARD_NONREF : AVDISCARD_DEFAULT;
            const int code = avcodec_send_packet(decoder_.get(), next.packet.get());
            if (code == AVERROR(ENOMEM)) return libav::failure(code, "Decoding the video");
            if (code < 0 && next.packet) ++packets_failed_;
            auto ended = take_frames(selector, next.time);
            if (!ended) return std::unexpected(ended.error());
            if (*ended || !next.packet) return {};
        }
    }

    // Takes what the decoder has ready; true when no later frame can be wanted.
    Result<bool> take_frames(FrameSelector& selector, double time) {
        for (;;) {
            const int got = avcodec_receive_frame(decoder_.get(), frame_.get());
            if (got == AVERROR(ENOMEM)) return libav::failure(got, "Decoding the video");
            if (got < 0) {
                if (got != AVERROR(EAGAIN) && got != AVERROR_EOF) ++packets_failed_;
                return false;
            }
            ++decoded_;
            const auto stamp = frame_->best_effort_timestamp;
            const double shown = stamp == AV_NOPTS_VALUE ? time : libav::seconds(stamp, stream_);
            if (selector.done(shown)) return true;
            if (!selector.take(shown)) continue;
            if (auto added = add(shown); !added) return std::unexpected(added.error());
        }
    }

    Result<> add(double time) {
        if (!(time > last_added_)) return {};
        auto picture = maker_.make(*frame_);
        if (!picture) return std::unexpected(picture.error());
        last_added_ = time;
        const wire::FrameHead head{.time = time,
                                   .width = static_cast<std::uint32_t>(picture->width),
                                   .height = static_cast<std::uint32_t>(picture->height)};
        return answer_.add_frame(head, picture->bytes);
    }

    Input& input_;
    const wire::Job& job_;
    Answer& answer_;
    AVStream& stream_;
    Sampling sampling_;
    PictureMaker maker_;
    libav::CodecPtr decoder_;
    libav::PacketPtr packet_;
    libav::FramePtr frame_;
    std::vector<std::int64_t> indexed_keys_;  // places of key frames, where the container lists them all
    bool moved_ = false;                      // away from the file's start
    double last_added_ = -std::numeric_limits<double>::infinity();
    std::uint64_t untimed_ = 0;
    std::uint64_t decoded_ = 0;
    std::uint64_t packets_failed_ = 0;
};

}  // namespace

Result<wire::End> sample_frames(Input& input, const wire::Job& job, Answer& answer) {
    const int index = input.find_stream(AVMEDIA_TYPE_VIDEO);
    if (index < 0) return fail(ErrorCode::invalid, "The file has no video.");
    input.select_only(index);
    return FrameSampler(input, job, answer, index).run();
}

}  // namespace sheaf::media
