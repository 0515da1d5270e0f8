#include "media/ffmpeg/levels.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "media/ffmpeg/wire.h"

namespace sheaf::media {
namespace {

constexpr double kWindowS = 0.1;
constexpr float kSilence = -100.0F;

// Sums samples into windows, and windows into records.
class Windows {
public:
    Windows(Answer& answer, double start, int sample_rate)
        : answer_(answer), rate_(sample_rate), end_of_window_(kWindowS * sample_rate) {
        levels_.window_s = kWindowS;
        levels_.start = start;
    }

    // Where the next sample belongs, in seconds.
    double now() const { return levels_.start + static_cast<double>(samples_) / rate_; }

    Result<> add(std::span<const float> samples) {
        for (const float sample : samples) {
            sum_ += std::isfinite(sample) ? static_cast<double>(sample) * sample : 0.0;
            ++in_window_;
            ++samples_;
            if (static_cast<double>(samples_) >= end_of_window_) {
                if (auto closed = close_window(); !closed) return closed;
            }
        }
        return {};
    }

    Result<> add_silence(double seconds) {
        auto left = static_cast<std::uint64_t>(std::llround(seconds * rate_));
        while (left > 0) {
            const auto room = static_cast<std::uint64_t>(
                std::max(1.0, std::ceil(end_of_window_ - static_cast<double>(samples_))));
            const auto step = std::min(left, room);
            in_window_ += step;
            samples_ += step;
            left -= step;
            if (static_cast<double>(samples_) >= end_of_window_) {
                if (auto closed = close_window(); !closed) return closed;
            }
        }
        return {};
    }

    Result<> finish() {
        if (in_window_ > 0) {
            if (auto closed = close_window(); !closed) return closed;
        }
        return flush();
    }

private:
    Result<> close_window() {
        const double mean = in_window_ == 0 ? 0 : sum_ / static_cast<double>(in_window_);
        const float level = mean > 0 ? static_cast<float>(10 * std::log10(mean)) : kSilence;
        levels_.dbfs.push_back(std::clamp(level, kSilence, 200.0F));
        sum_ = 0;
        in_window_ = 0;
        ++windows_;
        end_of_window_ = static_cast<double>(windows_ + 1) * kWindowS * rate_;
        if (windows_ > wire::kLevelsMax)
            return fail(ErrorCode::too_large, "The sound is longer than can be measured.");
        return levels_.dbfs.size() >= wire::kLevelsPerRecord ? flush() : Result<>{};
    }

    Result<> flush() {
        if (levels_.dbfs.empty()) return {};
        auto added = answer_.add(wire::RecordKind::levels, wire::encode(levels_));
        levels_.dbfs.clear();
        return added;
    }

    Answer& answer_;
    double rate_;
    double end_of_window_;
    wire::Levels levels_;
    double sum_ = 0;
    std::uint64_t in_window_ = 0;
    std::uint64_t samples_ = 0;
    std::uint64_t windows_ = 0;
};

// Turns whatever a decoder gives into one channel of floats at one rate, all channels with equal weight.
class Mono {
public:
    Result<std::span<const float>> mix(const AVFrame& frame, int rate) {
        if (!resampler_ || frame.format != format_ || frame.sample_rate != rate_ ||
            av_channel_layout_compare(&frame.ch_layout, &layout_) != 0) {
            if (auto ready = set_up(frame, rate); !ready) return std::unexpected(ready.error());
        }
        const int room = swr_get_out_samples(resampler_.get(), frame.nb_samples);
        if (room < 0) return libav::failure(room, "Reading the sound");
        samples_.resize(static_cast<std::size_t>(room));
        auto* out = reinterpret_cast<std::uint8_t*>(samples_.data());
        const int got = swr_convert(resampler_.get(), &out, room,
                                    const_cast<const std::uint8_t**>(frame.extended_data), frame.nb_samples);
        if (got < 0) return libav::failure(got, "Reading the sound");
        return std::span<const float>(samples_.data(), static_cast<std::size_t>(got));
    }

    ~Mono() { av_channel_layout_uninit(&layout_); }
    Mono() = default;
    Mono(const Mono&) = delete;
    Mono& operator=(const Mono&) = delete;

private:
    Result<> set_up(const AVFrame& frame, int rate) {
        resampler_.reset();
        const int channels = frame.ch_layout.nb_channels;
        if (channels < 1 || channels > 64 || frame.sample_rate <= 0) {
            return fail(ErrorCode::invalid, "The sound has no channels that can be read.");
        }
        AVChannelLayout in{};
        // Layouts that say nothing of where channels are would be guessed at: their number is all that
        // matters.
        in.order = AV_CHANNEL_ORDER_UNSPEC;
        in.nb_channels = channels;
        AVChannelLayout mono = AV_CHANNEL_LAYOUT_MONO;
        SwrContext* made = nullptr;
        int code =
            swr_alloc_set_opts2(&made, &mono, AV_SAMPLE_FMT_FLT, rate, &in,
                                static_cast<AVSampleFormat>(frame.format), frame.sample_rate, 0, nullptr);
        resampler_.reset(made);
        const std::vector<double> weights(static_cast<std::size_t>(channels), 1.0 / channels);
        if (code >= 0) code = swr_set_matrix(made, weights.data(), channels);
        if (code >= 0) code = swr_init(made);
        if (code >= 0) code = av_channel_layout_copy(&layout_, &frame.ch_layout);
        if (code < 0) {
            resampler_.reset();
            return libav::failure(code, "Reading the sound");
        }
        format_ = frame.format;
        rate_ = frame.sample_rate;
        return {};
    }

    libav::ResamplerPtr resampler_;
    AVChannelLayout layout_{};
    int format_ = -1;
    int rate_ = 0;
    std::vector<float> samples_;
};

}  // namespace

Result<> measure_levels(Input& input, Answer& answer) {
    const int index = input.find_stream(AVMEDIA_TYPE_AUDIO);
    if (index < 0) return fail(ErrorCode::invalid, "The file has no sound.");
    input.select_only(index);
    auto& stream = input.stream(index);
    auto decoder = libav::open_decoder(stream, {.threads = 1, .pixels_max = 1});
    if (!decoder) return std::unexpected(decoder.error());
    const libav::PacketPtr packet(av_packet_alloc());
    const libav::FramePtr frame(av_frame_alloc());
    if (!packet || !frame) return libav::failure(AVERROR(ENOMEM), "Reading the sound");

    std::optional<Windows> windows;
    Mono mono;
    int rate = 0;
    bool more = true;
    while (more) {
        do {
            av_packet_unref(packet.get());
            more = av_read_frame(&input.format(), packet.get()) >= 0;
        } while (more && packet->stream_index != index);
        if (avcodec_send_packet(decoder->get(), more ? packet.get() : nullptr) == AVERROR(ENOMEM)) {
            return libav::failure(AVERROR(ENOMEM), "Decoding the sound");
        }
        while (avcodec_receive_frame(decoder->get(), frame.get()) >= 0) {
            if (frame->nb_samples <= 0 || frame->sample_rate <= 0) continue;
            const auto stamp = frame->best_effort_timestamp;
            const auto time =
                stamp == AV_NOPTS_VALUE ? std::nullopt : std::optional(libav::seconds(stamp, stream));
            if (!windows) {
                rate = frame->sample_rate;
                windows.emplace(answer, time.value_or(0), rate);
            }
            // A hole in the sound is silence, so that what follows keeps its time.
            if (time && *time - windows->now() > kWindowS) {
                if (auto added = windows->add_silence(*time - windows->now()); !added) return added;
            }
            auto samples = mono.mix(*frame, rate);
            if (!samples) return std::unexpected(samples.error());
            if (auto added = windows->add(*samples); !added) return added;
        }
    }
    if (!windows) return fail(ErrorCode::invalid, "None of the file's sound can be decoded.");
    return windows->finish();
}

}  // namespace sheaf::media
