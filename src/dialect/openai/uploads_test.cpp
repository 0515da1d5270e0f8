#include <gtest/gtest.h>

#include "base/hash.h"
#include "dialect/openai/testing_form.h"
#include "dialect/openai/testing_world.h"

namespace sheaf::dialect::openai {
namespace {

class OpenAiUploads : public OpenAiWorld {
protected:
    std::string begin(std::uint64_t bytes) {
        const Answered answered =
            post("/uploads",
                 fmt::format(R"({{"bytes":{},"filename":"f","mime_type":"m","purpose":"batch"}})", bytes));
        EXPECT_EQ(answered.status, 200) << answered.body;
        return text_at(answered.body, "/id");
    }
    Answered send(const std::string& upload, const std::string& form, std::string sender = {}) {
        return call({.method = "POST",
                     .target = "/uploads/" + upload + "/parts",
                     .body = form,
                     .content_type = Form::content_type(),
                     .key = std::move(sender),
                     .piece = 11});
    }
    Answered add(const std::string& upload, std::string_view bytes) {
        return send(upload, Form().file(bytes, "data", "filename=\"blob\"").end());
    }
    std::string part(const std::string& upload, std::string_view bytes) {
        const Answered answered = add(upload, bytes);
        EXPECT_EQ(answered.status, 200) << answered.body;
        return text_at(answered.body, "/id");
    }
    Answered complete(const std::string& upload, const std::vector<std::string>& parts,
                      std::string_view md5 = "") {
        std::string ids;
        for (const std::string& id : parts) ids += (ids.empty() ? "\"" : ",\"") + id + "\"";
        const std::string hash = md5.empty() ? "" : fmt::format(R"(,"md5":"{}")", md5);
        return post("/uploads/" + upload + "/complete", fmt::format(R"({{"part_ids":[{}]{}}})", ids, hash));
    }
    std::string param(const Answered& answered) {
        EXPECT_EQ(answered.status, 400) << answered.body;
        return text_at(answered.body, "/error/param");
    }
};

TEST_F(OpenAiUploads, PartsBecomeAFileInTheOrderAsked) {
    const std::string upload = begin(10);
    const std::string second = part(upload, "56789");
    clock.advance(5s);
    const Answered added = add(upload, "01234");
    EXPECT_EQ(text_at(added.body, "/object"), "upload.part");
    EXPECT_EQ(text_at(added.body, "/upload_id"), upload);
    EXPECT_EQ(text_at(added.body, "/created_at"), "1781776805");
    const Answered completed = complete(upload, {text_at(added.body, "/id"), second}, md5_hex("0123456789"));
    ASSERT_EQ(completed.status, 200) << completed.body;
    EXPECT_EQ(text_at(completed.body, "/status"), "completed");
    const std::string file = text_at(completed.body, "/file/id");
    EXPECT_EQ(read_file(file), "0123456789");
    EXPECT_EQ(text_at(completed.body, "/file/expires_at"), std::to_string(1'781'776'805 + 2'592'000))
        << "counted from its own creation";
    EXPECT_EQ(keys().size(), 1U);
}

TEST_F(OpenAiUploads, AFileOfPartsIsTheInputOfABatch) {
    const std::string lines = chat_line("a0") + chat_line("a1");
    const std::string upload = begin(lines.size());
    const std::string first = part(upload, lines.substr(0, 100));
    const std::string second = part(upload, lines.substr(100));
    const std::string file = text_at(complete(upload, {first, second}).body, "/file/id");
    const Answered created = post("/batches", batch_body(file));
    EXPECT_EQ(text_at(batch(text_at(created.body, "/id")), "/request_counts/total"), "2");
}

TEST_F(OpenAiUploads, WhatIsRefusedLeavesTheUploadPending) {
    const std::string upload = begin(6);
    const std::string one = part(upload, "abc");
    const std::string two = part(upload, "def");
    const std::string foreign = part(begin(3), "abc");
    EXPECT_EQ(param(complete(upload, {one})), "part_ids") << "too few bytes";
    EXPECT_EQ(param(complete(upload, {one, one})), "part_ids");
    EXPECT_EQ(param(complete(upload, {one, foreign})), "part_ids");
    EXPECT_EQ(param(complete(upload, {one, two}, md5_hex("defabc"))), "md5");
    EXPECT_EQ(complete(upload, {one, two}, md5_hex("abcdef")).status, 200);
}

TEST_F(OpenAiUploads, PartsBeyondWhatWasAnnouncedAreRefused) {
    const std::string upload = begin(5);
    part(upload, "abc");
    EXPECT_EQ(param(add(upload, "def")), "data");
    part(upload, "de");
    EXPECT_EQ(param(add(upload, "f")), "data");
    EXPECT_EQ(keys().size(), 2U);
}

TEST_F(OpenAiUploads, APartBeyondTheLimitIsTooLarge) {
    limits.file_part_bytes_max = 4;
    build();
    const std::string upload = begin(9);
    part(upload, "abcd");
    EXPECT_EQ(add(upload, "abcde").status, 413);
    EXPECT_EQ(keys().size(), 1U);
}

TEST_F(OpenAiUploads, AFormWithoutDataIsNoPart) {
    const std::string upload = begin(5);
    const Answered answered = send(upload, Form().file("abc", "file").end());
    EXPECT_EQ(param(answered), "data");
    EXPECT_EQ(text_at(answered.body, "/error/code"), "missing_required_parameter");
    EXPECT_EQ(param(send(upload, Form().file("a", "data").file("b", "data").end())), "data");
    EXPECT_TRUE(keys().empty());
}

TEST_F(OpenAiUploads, DataNeedsNoFileName) {
    const std::string upload = begin(3);
    const Answered answered = send(upload, Form().field("data", "abc").end());
    ASSERT_EQ(answered.status, 200) << answered.body;
    EXPECT_EQ(complete(upload, {text_at(answered.body, "/id")}).status, 200);
}

TEST_F(OpenAiUploads, AnUploadLastsAnHour) {
    const std::string upload = begin(3);
    const std::string only = part(upload, "abc");
    clock.advance(1h - 1ms);
    part(upload, "");
    clock.advance(1ms);
    EXPECT_EQ(param(add(upload, "")), "null");
    EXPECT_EQ(param(complete(upload, {only})), "null");
    EXPECT_EQ(param(post("/uploads/" + upload + "/cancel")), "null");
    EXPECT_TRUE(keys().empty());
}

TEST_F(OpenAiUploads, ACanceledUploadLosesItsParts) {
    const std::string upload = begin(3);
    const std::string only = part(upload, "abc");
    const Answered canceled = post("/uploads/" + upload + "/cancel");
    EXPECT_EQ(text_at(canceled.body, "/status"), "cancelled");
    EXPECT_TRUE(keys().empty());
    EXPECT_EQ(param(add(upload, "abc")), "null");
    EXPECT_EQ(param(complete(upload, {only})), "null");
}

TEST_F(OpenAiUploads, AnotherAccountsUploadIsLikeNone) {
    const std::string upload = begin(3);
    const Answered foreign = send(upload, Form().file("abc", "data").end(), other_key);
    EXPECT_EQ(foreign.status, 404);
    EXPECT_EQ(text_at(foreign.body, "/error/message"), "No such Upload object: " + upload);
    EXPECT_TRUE(foreign.body_was_read) << "else its client would not read the answer";
    const Answered unknown = send("upload_abc123", Form().file("abc", "data").end());
    EXPECT_EQ(unknown.status, 404);
    EXPECT_TRUE(unknown.body_was_read);
    EXPECT_TRUE(keys().empty());
}

TEST_F(OpenAiUploads, APartThatIsCutLeavesNothing) {
    const std::string upload = begin(9);
    const std::string form = Form().file("abcdefghi", "data").end();
    for (std::size_t cut = 0; cut < form.size(); ++cut) {
        const Answered answered = call({.method = "POST",
                                        .target = "/uploads/" + upload + "/parts",
                                        .body = form,
                                        .content_type = Form::content_type(),
                                        .body_fails_at = cut});
        EXPECT_GE(answered.status, 400);
        EXPECT_TRUE(keys().empty()) << "cut at " << cut;
    }
    part(upload, "abcdefghi");
}

TEST_F(OpenAiUploads, AFullDiskLeavesTheUploadAsItWas) {
    const std::string upload = begin(3);
    const std::string only = part(upload, "abc");
    blobs.writers_fail = true;
    EXPECT_EQ(add(upload, "").status, 503);
    EXPECT_EQ(complete(upload, {only}).status, 503);
    blobs.writers_fail = false;
    EXPECT_EQ(complete(upload, {only}).status, 200);
    EXPECT_EQ(keys().size(), 1U);
}

}  // namespace
}  // namespace sheaf::dialect::openai
