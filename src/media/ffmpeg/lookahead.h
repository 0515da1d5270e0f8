#pragma once

#include <cstddef>
#include <deque>
#include <set>
#include <utility>

#include "media/ffmpeg/libav.h"
#include "media/frame_selector.h"

namespace sheaf::media {

// Packets between reading and decoding: enough of them to know, before a picture is decoded, whether it is
// wanted. Packets come in the order of decoding and pictures are chosen in the order of showing, so a
// picture's fate is known once all that may be shown before it have been read.
class Lookahead {
public:
    explicit Lookahead(const Sampling& sampling) : selector_(sampling) {}

    struct Entry {
        libav::PacketPtr packet;  // null after the last one
        double time = 0;
        bool wanted = false;
    };

    bool full() const { return packets_.size() > kPicturesAhead; }
    // Moves the packet in. False: out of memory.
    bool add(AVPacket& packet, double time);
    // The next one to decode. Called when full, or when there is no more to read.
    Entry take();

private:
    // No coding in use shows a picture later than this many others decoded after it.
    static constexpr std::size_t kPicturesAhead = 32;

    FrameSelector selector_;
    std::deque<Entry> packets_;
    std::multiset<std::pair<double, std::size_t>> undecided_;  // by time: the packet's number
    std::size_t first_ = 0;                                    // the number of the packet in front
};

}  // namespace sheaf::media
