#include "dialect/twelvelabs/codec.h"

#include <random>

#include <gtest/gtest.h>

#include "dialect/live_call.h"
#include "dialect/twelvelabs/request_params.h"
#include "dialect/twelvelabs/twelvelabs.h"
#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {
namespace {

core::ItemHead an_item() {
    return {.id = BatchId{1, 2}.item(3), .custom_id = "c-1", .state = core::ItemState::succeeded};
}

std::string member(std::string_view line, const std::string& pointer) {
    const auto document = jsonl::Document::parse(line);
    std::string_view text;
    if (!document || document->root().at_pointer(pointer).get(text)) return "(absent)";
    return std::string(text);
}

TEST(Codec, WritesALineThatIsAsciiAndReadsBackTheSame) {
    const Codec codec({});
    const std::string text = "caf\xc3\xa9 \xf0\x9f\x98\x80 \xe2\x80\xa8 \xc2\x85 \x0b\x0c\x1c\x7f \" \\ \r\n";
    const std::string line = codec.line({}, an_item(), core::Succeeded{{.text = text, .usage = {45, 150}}});
    for (const char c : line.substr(0, line.size() - 1))
        EXPECT_TRUE(c >= 0x20 && static_cast<unsigned char>(c) < 0x80);
    EXPECT_TRUE(line.ends_with("}\n"));
    EXPECT_EQ(member(line, "/data/data"), text);
    EXPECT_EQ(member(line, "/custom_id"), "c-1");
    EXPECT_EQ(member(line, "/status"), "ready");
    EXPECT_EQ(member(line, "/data/finish_reason"), "stop");
}

TEST(Codec, WritesOneAsciiLineWhateverTheModelSays) {
    const Codec codec({});
    std::mt19937 random(1);
    for (int round = 0; round < 2000; ++round) {
        std::string text;
        const auto length = random() % 64;
        for (std::size_t i = 0; i < length; ++i) text.push_back(static_cast<char>(random()));
        core::ItemHead item = an_item();
        if (round % 2 == 0) item.custom_id.reset();
        const bool failed = round % 3 == 0;
        const core::Ending ending =
            failed ? core::Ending(core::Failed{{text, text}}) : core::Succeeded{{.text = text}};
        const std::string line = codec.line({}, item, ending);
        ASSERT_EQ(line.find('\n'), line.size() - 1);
        for (const char c : line) ASSERT_LT(static_cast<unsigned char>(c), 0x80);
        ASSERT_TRUE(jsonl::Document::parse(line));
        ASSERT_EQ(member(line, "/status"), failed ? "failed" : "ready");
    }
}

TEST(Codec, TellsFailuresInTheVendorsWords) {
    const Codec codec({});
    const auto code = [&](std::string ours) {
        return member(codec.line({}, an_item(), core::Failed{{std::move(ours), "why"}}), "/error/code");
    };
    EXPECT_EQ(code("asset_unavailable"), "asset_unavailable");
    EXPECT_EQ(code("output_invalid"), "output_invalid");
    EXPECT_EQ(code("unsupported_output"), "analysis_failed");
    EXPECT_NE(member(codec.line({}, an_item(), core::Failed{{"x", ""}}), "/error/message"), "");
}

TEST(Codec, ShowsCanceledAndExpiredAlike) {
    const Codec codec({});
    const std::string expected =
        R"({"task_id":"000000010000000000200004","custom_id":"c-1","status":"canceled"})"
        "\n";
    EXPECT_EQ(codec.line({}, an_item(), core::Canceled{}), expected);
    EXPECT_EQ(codec.line({}, an_item(), core::Expired{}), expected);
}

core::VideoAnalysis decode(std::string mode, std::string shared, std::string_view body) {
    const Codec codec({});
    core::Batch batch;
    batch.model = "pegasus1.5";
    batch.tag = std::move(mode);
    batch.shared = std::move(shared);
    auto inference = codec.decode(batch, body);
    EXPECT_TRUE(inference) << inference.error().message;
    return std::get<core::VideoAnalysis>(std::move(*inference));
}

constexpr std::string_view kVideo = R"("video":{"type":"asset_id","asset_id":"0123456789abcdef01234567"})";

TEST(Codec, MergesDefaultsWholeObjectByWholeObject) {
    const std::string defaults =
        R"({"prompt":{"input_text":"<@a>","media_sources":[{"name":"a","media_type":"image",)"
        R"("url":"https://e.com/a.png"}]},"temperature":0.5,"max_tokens":600,"start_time":1})";
    const auto plain = decode("general", defaults, "{" + std::string(kVideo) + "}");
    EXPECT_EQ(plain.prompt.text, "<@a>");
    EXPECT_EQ(plain.prompt.images.size(), 1U);
    EXPECT_EQ(plain.temperature, 0.5);
    EXPECT_EQ(plain.max_tokens, 600U);
    EXPECT_EQ(plain.start_time, 1.0);
    const auto own = decode(
        "general", defaults,
        "{" + std::string(kVideo) + R"(,"prompt":{"input_text":"mine"},"temperature":0,"max_tokens":null})");
    EXPECT_EQ(own.prompt.text, "mine");
    EXPECT_TRUE(own.prompt.images.empty());
    EXPECT_EQ(own.temperature, 0.0);
    EXPECT_EQ(own.max_tokens, 600U);
}

TEST(Codec, FillsInWhatTheModeSays) {
    const auto general =
        decode("general", "", "{" + std::string(kVideo) + R"(,"prompt":{"input_text":"x"}})");
    EXPECT_EQ(general.temperature, 0.2);
    EXPECT_EQ(general.max_tokens, 4096U);
    EXPECT_TRUE(std::holds_alternative<core::TextOutput>(general.output));
    const auto segments = decode(
        "time_based_metadata", "",
        "{" + std::string(kVideo) +
            R"(,"min_segment_duration":3,"response_format":{"type":"segment_definitions","segment_time_format":"hh:mm:ss","segment_definitions":[{"id":"a","description":"b"}]}})");
    EXPECT_EQ(segments.max_tokens, 32'768U);
    const auto& output = std::get<core::SegmentsOutput>(segments.output);
    EXPECT_EQ(output.min_duration, 3.0);
    EXPECT_EQ(output.time_format, core::TimeFormat::hms);
}

TEST(Codec, KeepsTheOrderOfASchema) {
    const auto analysis = decode(
        "general", "",
        "{" + std::string(kVideo) +
            R"(,"prompt":{"input_text":"x"},"response_format":{"type":"json_schema","json_schema":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"string"}}}}})");
    EXPECT_EQ(std::get<core::JsonOutput>(analysis.output).schema,
              R"({"type":"object","properties":{"z":{"type":"string"},"a":{"type":"string"}}})");
}

TEST(Codec, RefusesAnItemThatNoLongerFits) {
    const Codec codec({});
    core::Batch batch;
    batch.tag = "general";
    EXPECT_FALSE(codec.decode(batch, "{}"));
    EXPECT_FALSE(codec.decode(batch, "nonsense"));
}

TEST(MediaDetails, AreTheVendorsMembersAndTypes) {
    media::MediaInfo info;
    info.type = core::MediaType::video;
    info.mime_type = "video/mp4";
    info.container = "mov,mp4";
    info.duration_s = 12.5;
    info.start_s = 1.25;
    info.bitrate_bps = 1'000'000;
    info.creation_time = "2026-01-01T00:00:00.000Z";
    info.video = {{.index = 0,
                   .codec = "h264",
                   .width = 640,
                   .height = 360,
                   .fps = 29.97,
                   .avg_fps = 29.9,
                   .start_s = 1.3,
                   .duration_s = 12.4,
                   .bitrate_bps = 900,
                   .rotation = 90,
                   .pixel_format = "yuv420p",
                   .bit_depth = 10,
                   .is_hdr = true,
                   .sample_aspect_ratio = "1:1"}};
    info.audio = {{.index = 1,
                   .codec = "aac",
                   .sample_rate = 48'000,
                   .channels = 2,
                   .channel_layout = "stereo",
                   .bitrate_bps = 128,
                   .language = "eng",
                   .duration_s = 12.0}};
    EXPECT_EQ(
        render_details(info, 77),
        R"({"file_size_bytes":77,"file_mime_type":"video/mp4","file_container_format":"mov,mp4",)"
        R"("container_creation_time":"2026-01-01T00:00:00.000Z","video_codec":"h264","video_width":640,)"
        R"("video_height":360,"video_fps":29.97,"video_duration_seconds":12.4,"video_bitrate_bps":900,)"
        R"("is_hdr":true,"storage_aspect_ratio":1.7777777777777777,"audio_codec":"aac",)"
        R"("audio_sample_rate":48000,"audio_channels":2,"audio_duration_seconds":12,"has_audio":true,)"
        R"("total_video_streams":1,"total_audio_streams":1,"video_streams":[{"index":0,"codec":"h264",)"
        R"("width":640,"height":360,"fps":29.97,"avg_fps":29.9,"duration_seconds":12.4,"bitrate_bps":900,)"
        R"("rotation":90,"pixel_format":"yuv420p","bit_depth":10,"pixel_aspect_ratio":"1:1"}],)"
        R"("audio_streams":[{"index":1,"codec":"aac","sample_rate":48000,"channels":2,)"
        R"("channel_layout":"stereo","bitrate_bps":128,"language":"eng","duration_seconds":12}]})");
}

TEST(FirstCharacters, CutsBetweenCodePoints) {
    EXPECT_EQ(first_characters("a\xc3\xa4\xf0\x9f\x98\x80z", 3), "a\xc3\xa4\xf0\x9f\x98\x80");
    EXPECT_EQ(first_characters("abc", 30), "abc");
    EXPECT_EQ(first_characters("abc", 0), "");
}

TEST(WholeCharacters, HoldsBackACutCharacter) {
    EXPECT_EQ(whole_characters("a\xf0\x9f\x98"), 1U);
    EXPECT_EQ(whole_characters("a\xf0\x9f\x98\x80"), 5U);
    EXPECT_EQ(whole_characters("a\xc3"), 1U);
    EXPECT_EQ(whole_characters("\xe2\x80\xa8"), 3U);
    EXPECT_EQ(whole_characters("\x80\x80\x80\x80"), 4U);
    EXPECT_EQ(whole_characters(""), 0U);
}

}  // namespace
}  // namespace sheaf::dialect::twelvelabs
