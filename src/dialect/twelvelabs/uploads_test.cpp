#include <gtest/gtest.h>

#include "base/hash.h"
#include "dialect/twelvelabs/testing_world.h"
#include "jsonl/document.h"

namespace sheaf::dialect::twelvelabs {
namespace {

class Uploads : public TwelveLabsWorld {
protected:
    static std::string text(const std::string& body, const std::string& pointer) {
        const auto document = jsonl::Document::parse(body);
        std::string_view text;
        if (!document || document->root().at_pointer(pointer).get(text)) return "(absent)";
        return std::string(text);
    }
    static std::string field(const std::string& name, const std::string& value) {
        return "--XX\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n";
    }
    static std::string file(const std::string& value) {
        return "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"dir/film.mp4\"\r\n"
               "Content-Type: application/octet-stream\r\n\r\n" +
               value + "\r\n";
    }
    Answered send(const std::string& parts, std::size_t piece = 5) {
        return call({.method = "POST",
                     .target = "/assets",
                     .body = parts + "--XX--\r\n\r\n",
                     .content_type = "multipart/form-data; boundary=XX",
                     .piece = piece});
    }
    std::string settled(const std::string& id) {
        turn_until([&] { return find(*AssetId::parse(id))->state != core::AssetState::processing; });
        return get("/assets/" + id).body;
    }
    Answered put(std::string url, std::string bytes) {
        const std::string base = "http://sheaf.test:8080/v1.3";
        EXPECT_TRUE(url.starts_with(base)) << url;
        return call({.method = "PUT",
                     .target = url.substr(base.size()),
                     .body = std::move(bytes),
                     .content_type = "application/octet-stream",
                     .key = "none",
                     .piece = 1 << 20});
    }
    static std::string report_of(int index, const std::string& bytes) {
        return R"({"completed_chunks":[{"chunk_index":)" + std::to_string(index) + R"(,"proof":")" +
               md5_hex(bytes) + R"(","proof_type":"etag","chunk_size":)" + std::to_string(bytes.size()) +
               "}]}";
    }
};

TEST_F(Uploads, TakeFieldsInAnyOrderAndStoreTheBytes) {
    const std::string bytes = "video\r\n--X\r\n--XY" + std::string(10'000, '\n');
    const Answered first =
        send(field("method", "direct") + file(bytes) + field("user_metadata", R"({"a":1})"));
    ASSERT_EQ(first.status, 201) << first.body;
    EXPECT_EQ(text(first.body, "/status"), "processing");
    EXPECT_EQ(text(first.body, "/filename"), "film.mp4");
    EXPECT_NE(first.body.find(R"("user_metadata":{"a":1})"), std::string::npos);
    const std::string id = text(first.body, "/_id");
    EXPECT_EQ(text(settled(id), "/status"), "ready");
    EXPECT_EQ(bytes_of(*find(*AssetId::parse(id))), bytes);
    const Answered second = send(
        field("filename", "my.mp4") + field("enable_hls", "true") + file(bytes) + field("method", "direct"),
        1000);
    EXPECT_EQ(text(second.body, "/filename"), "my.mp4");
}

TEST_F(Uploads, RefuseFormsThatAreWrongAndKeepNothing) {
    const std::string before = stored();
    const auto refused = [&](const std::string& parts) {
        const Answered answered = send(parts);
        EXPECT_EQ(answered.status, 400) << answered.body;
        return text(answered.body, "/code") + " " + text(answered.body, "/error/details/field");
    };
    EXPECT_EQ(refused(file("video")), "parameter_not_provided method");
    EXPECT_EQ(refused(field("method", "ftp")), "parameter_invalid method");
    EXPECT_EQ(refused(field("method", "direct")), "parameter_not_provided file");
    EXPECT_EQ(refused(field("method", "direct") + file("")), "parameter_invalid file");
    EXPECT_EQ(refused(field("method", "url")), "parameter_not_provided url");
    EXPECT_EQ(refused(field("method", "url") + field("url", "ftp://a")), "parameter_invalid url");
    EXPECT_EQ(refused(field("method", "direct") + file("video") + field("user_metadata", "[]")),
              "parameter_invalid user_metadata");
    EXPECT_EQ(refused(field("method", "direct") + file("video") + field("user_metadata", R"({"a":[1]})")),
              "parameter_invalid user_metadata.a");
    EXPECT_EQ(refused(field("method", "direct") + file("video") + field("enable_hls", "yes")),
              "parameter_invalid enable_hls");
    EXPECT_EQ(refused(field("method", "direct") + file("video") + file("video")), "parameter_invalid file");
    EXPECT_EQ(refused(field("method", "direct") + field("method", "direct") + file("video")),
              "parameter_invalid method");
    EXPECT_EQ(refused(field("color", "red") + file("video")), "parameter_unknown color");
    const Answered cut = call({.method = "POST",
                               .target = "/assets",
                               .body = field("method", "direct") + file("video"),
                               .content_type = "multipart/form-data; boundary=XX"});
    EXPECT_EQ(cut.status, 400);
    EXPECT_NE(call({.method = "POST",
                    .target = "/assets",
                    .body = field("method", "direct") + file("video"),
                    .content_type = "multipart/form-data; boundary=XX",
                    .body_fails_at = 100})
                  .status,
              201);
    EXPECT_EQ(stored(), before);
    EXPECT_TRUE(keys().empty());
}

TEST_F(Uploads, ReadFilesThatAreTooLargeToTheEnd) {
    limits.direct_media_bytes_max = 1000;
    limits.image_bytes_max = 100;
    build();
    const Answered large = send(field("method", "direct") + file("video" + std::string(2000, 'x')));
    EXPECT_EQ(large.status, 400);
    EXPECT_EQ(text(large.body, "/code"), "video_filesize_too_large");
    const Answered image = send(field("method", "direct") + file("GIF89a" + std::string(200, 'x')));
    EXPECT_EQ(text(image.body, "/code"), "video_filesize_too_large");
    EXPECT_EQ(send(field("method", "direct") + file("video" + std::string(995, 'x'))).status, 201);
    run_all();
    EXPECT_EQ(keys().size(), 1U);
}

TEST_F(Uploads, FetchWhatAUrlPointsTo) {
    fetcher.files["https://e.com/dir/my%20film.mp4?x"] = "video";
    const Answered answered =
        send(field("method", "url") + field("url", "https://e.com/dir/my%20film.mp4?x"));
    ASSERT_EQ(answered.status, 201) << answered.body;
    EXPECT_EQ(text(answered.body, "/filename"), "my film.mp4");
    EXPECT_EQ(text(answered.body, "/method"), "url");
    EXPECT_EQ(text(settled(text(answered.body, "/_id")), "/status"), "ready");
}

TEST_F(Uploads, ComeInChunksToPresignedUrls) {
    const std::string chunk1 = "video" + std::string((5 << 20) - 5, 'a');
    const std::string chunk2 = "the rest";
    const Answered opened =
        post("/assets/multipart-uploads", R"({"filename":"a.mp4","type":"video","total_size":)" +
                                              std::to_string(chunk1.size() + chunk2.size()) + "}");
    ASSERT_EQ(opened.status, 201) << opened.body;
    const std::string upload = "/assets/multipart-uploads/" + text(opened.body, "/upload_id");
    const std::string url1 = text(opened.body, "/upload_urls/0/url");
    const std::string url2 = text(opened.body, "/upload_urls/1/url");

    EXPECT_EQ(put(url2, "wrong size").status, 400);
    EXPECT_EQ(put(url2, "short").status, 400);
    EXPECT_EQ(put(url1.substr(0, url1.size() - 2) + "zz", chunk1).status, 403);
    std::string other_chunk = url1;
    other_chunk.replace(other_chunk.find("/chunks/1"), 9, "/chunks/2");
    EXPECT_EQ(put(other_chunk, chunk2).status, 403);

    const Answered sent = put(url2, chunk2);
    EXPECT_EQ(sent.status, 200);
    EXPECT_EQ(sent.headers.find("ETag"), "\"" + md5_hex(chunk2) + "\"");
    EXPECT_EQ(put(url2, chunk2).status, 200);
    const Answered first = post(upload, report_of(2, chunk2));
    EXPECT_EQ(text(first.body, "/url"), "(absent)");
    EXPECT_NE(first.body.find(R"("processed_chunks":1,"duplicate_chunks":0,"total_completed":1)"),
              std::string::npos);
    EXPECT_NE(post(upload, report_of(2, chunk2)).body.find(R"("processed_chunks":0,"duplicate_chunks":1)"),
              std::string::npos);
    EXPECT_EQ(post(upload, report_of(2, "the REST")).status, 400);
    EXPECT_NE(get(upload).body.find(R"({"index":1,"status":"pending"},{"index":2,"status":"completed")"),
              std::string::npos);

    EXPECT_EQ(put(url1, chunk1).status, 200);
    const Answered last = post(upload, report_of(1, chunk1));
    const std::string asset = text(opened.body, "/asset_id");
    EXPECT_EQ(text(last.body, "/url"), "http://sheaf.test:8080/v1.3/assets/" + asset);
    EXPECT_EQ(text(settled(asset), "/status"), "ready");
    EXPECT_EQ(bytes_of(*find(*AssetId::parse(asset))), chunk1 + chunk2);
    EXPECT_EQ(text(get(upload).body, "/status"), "completed");
    EXPECT_NE(get("/assets/multipart-uploads").body.find(R"("data":[])"), std::string::npos);
}

TEST_F(Uploads, EndAfterADayAndTheirUrlsAfterAnHour) {
    const Answered opened =
        post("/assets/multipart-uploads", R"({"filename":"a.mp4","type":"video","total_size":5})");
    const std::string upload = "/assets/multipart-uploads/" + text(opened.body, "/upload_id");
    const std::string url = text(opened.body, "/upload_urls/0/url");
    clock.advance(1h);
    EXPECT_EQ(put(url, "video").status, 403);
    clock.advance(23h);
    const Answered late = post(upload, report_of(1, "video"));
    EXPECT_EQ(late.status, 400);
    EXPECT_EQ(text(late.body, "/code"), "upload_expired");
    EXPECT_EQ(text(post(upload + "/presigned-urls", R"({"start":1,"count":1})").body, "/code"),
              "upload_expired");
    EXPECT_EQ(text(get(upload).body, "/status"), "expired");
    EXPECT_EQ(text(get("/assets/" + text(opened.body, "/asset_id")).body, "/status"), "failed");
}

TEST_F(Uploads, UseThePublicAddressWhereOneIsSet) {
    public_url = "https://sheaf.example/v1.3/";
    build();
    const Answered opened =
        post("/assets/multipart-uploads", R"({"filename":"a.mp4","type":"video","total_size":5})");
    EXPECT_TRUE(text(opened.body, "/upload_urls/0/url")
                    .starts_with("https://sheaf.example/v1.3/assets/multipart-uploads/"));
}

}  // namespace
}  // namespace sheaf::dialect::twelvelabs
