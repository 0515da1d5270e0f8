#include "protocol/event_stream.h"

#include <gtest/gtest.h>

namespace sheaf::protocol {
namespace {

std::string drained(EventStream& stream) {
    std::string shown;
    while (const auto event = stream.next()) shown += "[" + event->name + "|" + event->data + "]";
    return shown;
}

std::string cut(std::string_view bytes, std::size_t piece) {
    EventStream stream;
    std::string shown;
    while (!bytes.empty()) {
        EXPECT_TRUE(stream.feed(bytes.substr(0, piece)));
        bytes.remove_prefix(std::min(piece, bytes.size()));
        shown += drained(stream);
    }
    return shown;
}

TEST(EventStream, GivesNamesAndDataHoweverTheBytesAreCut) {
    constexpr std::string_view bytes =
        ": a comment\n\nevent: first\ndata: {\"a\":1}\n\ndata:no blank\r\n\r\nevent:x\rdata: one\rdata:  "
        "two\r\r"
        "id: 7\nretry: 1\nevent: nameless and without data\n\ndata\n\ndata: [DONE]\n\ndata: unfinished\n";
    constexpr std::string_view shown = "[first|{\"a\":1}][|no blank][x|one\n two][|][|[DONE]]";
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) EXPECT_EQ(cut(bytes, piece), shown) << piece;
}

TEST(EventStream, TakesManyEventsAtOnceButNoneBeyondTheLimit) {
    EventStream stream;
    std::string many;
    const std::string event = "data: " + std::string(EventStream::kEventBytesMax / 2, 'x') + "\n\n";
    for (int i = 0; i < 5; ++i) many += event;
    ASSERT_TRUE(stream.feed(many));
    int count = 0;
    while (stream.next()) ++count;
    EXPECT_EQ(count, 5);

    ASSERT_TRUE(stream.feed(event.substr(0, event.size() - 1)));
    const auto more = stream.feed(event);
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().code, ErrorCode::too_large);
}

TEST(EventStream, WritesWhatItReads) {
    std::string out;
    append_event(out, "ping", "{}");
    append_event(out, "", "[DONE]");
    EXPECT_EQ(out, "event: ping\ndata: {}\n\ndata: [DONE]\n\n");
    EXPECT_EQ(cut(out, out.size()), "[ping|{}][|[DONE]]");
}

}  // namespace
}  // namespace sheaf::protocol
