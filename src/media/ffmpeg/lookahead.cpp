#include "media/ffmpeg/lookahead.h"

namespace sheaf::media {

bool Lookahead::add(AVPacket& packet, double time) {
    libav::PacketPtr held(av_packet_alloc());
    if (!held) return false;
    av_packet_move_ref(held.get(), &packet);
    undecided_.emplace(time, first_ + packets_.size());
    packets_.push_back({.packet = std::move(held), .time = time, .wanted = false});
    return true;
}

Lookahead::Entry Lookahead::take() {
    if (packets_.empty()) return {};
    // In order of showing, up to the one that is to be decoded now.
    const auto front = std::pair(packets_.front().time, first_);
    while (!undecided_.empty() && *undecided_.begin() <= front) {
        const auto [time, number] = *undecided_.begin();
        packets_[number - first_].wanted = selector_.take(time);
        undecided_.erase(undecided_.begin());
    }
    Entry entry = std::move(packets_.front());
    packets_.pop_front();
    ++first_;
    return entry;
}

}  // namespace sheaf::media
