#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
}

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

// Whether what the stand-in is sent as a picture is one.
namespace stand_in {

// Strict: the standard alphabet, whole groups, padding at the end alone.
inline std::optional<std::string> decode_base64(std::string_view text) {
    if (text.empty() || text.size() % 4 != 0) return std::nullopt;
    std::string out;
    out.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        unsigned bits = 0;
        int padding = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            const char c = text[i + k];
            unsigned value = 0;
            if (c >= 'A' && c <= 'Z')
                value = static_cast<unsigned>(c - 'A');
            else if (c >= 'a' && c <= 'z')
                value = static_cast<unsigned>(c - 'a') + 26;
            else if (c >= '0' && c <= '9')
                value = static_cast<unsigned>(c - '0') + 52;
            else if (c == '+')
                value = 62;
            else if (c == '/')
                value = 63;
            else if (c == '=' && i + 4 == text.size() && k >= 2)
                ++padding;
            else
                return std::nullopt;
            if (padding > 0 && c != '=') return std::nullopt;
            bits = bits << 6 | value;
        }
        for (int shift = 16; shift >= 8 * padding; shift -= 8)
            out.push_back(static_cast<char>(bits >> shift & 0xFF));
    }
    return out;
}

struct Size {
    int width = 0;
    int height = 0;
};

// Decodes the whole picture; nullopt when it is broken or cut. `mime_type` must be what the bytes are.
inline std::optional<Size> decode_picture(std::string_view mime_type, std::string_view bytes) {
    AVCodecID id = AV_CODEC_ID_NONE;
    if (mime_type == "image/jpeg") {
        if (!bytes.starts_with("\xFF\xD8\xFF") || !bytes.ends_with("\xFF\xD9")) return std::nullopt;
        id = AV_CODEC_ID_MJPEG;
    }
    if (mime_type == "image/png" && bytes.starts_with("\x89PNG\r\n\x1A\n")) id = AV_CODEC_ID_PNG;
    if (mime_type == "image/bmp" && bytes.starts_with("BM")) id = AV_CODEC_ID_BMP;
    if (mime_type == "image/gif" && bytes.starts_with("GIF8")) id = AV_CODEC_ID_GIF;
    if (mime_type == "image/webp" && bytes.starts_with("RIFF")) id = AV_CODEC_ID_WEBP;
    const AVCodec* codec = avcodec_find_decoder(id);
    if (codec == nullptr) return std::nullopt;
    const std::unique_ptr<AVCodecContext, void (*)(AVCodecContext*)> context(
        avcodec_alloc_context3(codec), [](AVCodecContext* made) { avcodec_free_context(&made); });
    const std::unique_ptr<AVPacket, void (*)(AVPacket*)> packet(
        av_packet_alloc(), [](AVPacket* made) { av_packet_free(&made); });
    const std::unique_ptr<AVFrame, void (*)(AVFrame*)> frame(av_frame_alloc(),
                                                             [](AVFrame* made) { av_frame_free(&made); });
    context->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
    context->thread_count = 1;
    if (avcodec_open2(context.get(), codec, nullptr) < 0) return std::nullopt;
    if (av_new_packet(packet.get(), static_cast<int>(bytes.size())) < 0) return std::nullopt;
    std::memcpy(packet->data, bytes.data(), bytes.size());
    if (avcodec_send_packet(context.get(), packet.get()) < 0) return std::nullopt;
    if (avcodec_receive_frame(context.get(), frame.get()) < 0) return std::nullopt;
    if (frame->width <= 0 || frame->height <= 0) return std::nullopt;
    return Size{frame->width, frame->height};
}

}  // namespace stand_in
