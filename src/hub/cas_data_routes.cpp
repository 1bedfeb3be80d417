// The bytes that signed URLs open: ranges of xorbs, one or several at once.
#include "cas_access.hpp"
#include "routes.hpp"

#include <locara/base/secret.hpp>

#include <algorithm>

namespace locara::hub {
namespace {

using http::Request;
using http::Response;

constexpr std::size_t kRangesLimit = 64;

/// Where bytes of a xorb come from: an open file where the backend has one.
class XorbBytes {
  public:
    static Result<XorbBytes> open(const cas::Cas& cas, const xet::XorbHash& xorb) {
        XorbBytes bytes(cas, xorb);
        LOCARA_TRY(bytes.size_, cas.xorb_size(xorb));
        LOCARA_TRY(auto file, cas.open_xorb(xorb));
        if (file) {
            bytes.file_ = std::make_shared<const Fd>(std::move(*file));
        }
        return bytes;
    }

    std::uint64_t size() const { return size_; }

    Result<http::Piece> piece(std::uint64_t offset, std::uint64_t length) const {
        if (file_) {
            return http::Piece(http::FileBody{file_, offset, length});
        }
        std::string text(static_cast<std::size_t>(length), '\0');
        LOCARA_CHECK(cas_->read_xorb(xorb_, offset, std::as_writable_bytes(std::span(text))));
        return http::Piece(std::move(text));
    }

  private:
    XorbBytes(const cas::Cas& cas, const xet::XorbHash& xorb) : cas_(&cas), xorb_(xorb) {}

    const cas::Cas* cas_;
    xet::XorbHash xorb_;
    std::uint64_t size_ = 0;
    std::shared_ptr<const Fd> file_; ///< Shared by the pieces of an answer.
};

std::string content_range(const http::ByteRange& range, std::uint64_t size) {
    return "bytes " + std::to_string(range.offset) + "-" +
           std::to_string(range.offset + range.length - 1) + "/" + std::to_string(size);
}

/// RFC 9110, section 14.6: the ranges one after the other, each behind a head of its own.
Answer<Response> multipart(const XorbBytes& bytes, const std::vector<http::ByteRange>& ranges) {
    const std::string boundary = random_hex(16);
    auto pieces = std::make_shared<std::vector<http::Piece>>(); // Shared by copies of the function.
    std::uint64_t length = 0;
    const auto add_text = [&](std::string text) {
        length += text.size();
        pieces->push_back(std::move(text));
    };
    for (const http::ByteRange& range : ranges) {
        add_text("\r\n--" + boundary + "\r\nContent-Type: application/octet-stream\r\n" +
                 "Content-Range: " + content_range(range, bytes.size()) + "\r\n\r\n");
        LOCARA_TRY(auto piece, bytes.piece(range.offset, range.length));
        pieces->push_back(std::move(piece));
        length += range.length;
    }
    add_text("\r\n--" + boundary + "--\r\n");
    Response response;
    response.headers.add("Content-Type", "multipart/byteranges; boundary=" + boundary);
    response.body =
        http::PiecesBody{length, [pieces, next = std::size_t{0}]() mutable -> Result<http::Piece> {
                             return std::move(pieces->at(next++));
                         }};
    return response;
}

Answer<Response> single(const XorbBytes& bytes, const http::ByteRange& range) {
    LOCARA_TRY(auto piece, bytes.piece(range.offset, range.length));
    Response response;
    response.headers.add("Content-Type", "application/octet-stream");
    response.headers.add("Content-Range", content_range(range, bytes.size()));
    if (auto* const file = std::get_if<http::FileBody>(&piece)) {
        response.body = std::move(*file);
    } else {
        response.body = std::move(std::get<std::string>(piece));
    }
    return response;
}

/// A range must lie inside one that was signed.
bool is_covered(const http::ByteRange& range, const std::vector<Span>& spans) {
    return std::any_of(spans.begin(), spans.end(), [&range](const Span& span) {
        return range.offset >= span.begin && range.offset + range.length <= span.end;
    });
}

Answer<Response> xorb_ranges(const Services& services, const Request& request) {
    LOCARA_TRY(const auto xorb, parse_path_hash<xet::XorbHash>(request.param("hash")));
    LOCARA_TRY(const auto spans,
               services.signer.parse_query(xorb,
                                           request.query.find("ranges").value_or(""),
                                           request.query.find("exp").value_or(""),
                                           request.query.find("sig").value_or(""),
                                           services.clock.now()));
    LOCARA_TRY(const XorbBytes bytes, XorbBytes::open(services.cas, xorb));
    const auto ranges =
        http::resolve_ranges(request.headers.find("Range"), bytes.size(), kRangesLimit);
    const bool covered = ranges && !ranges->empty() &&
                         std::all_of(ranges->begin(), ranges->end(), [&spans](const auto& range) {
                             return is_covered(range, spans);
                         });
    if (!covered) {
        return Refusal(403, "", "this URL opens only the byte ranges it was signed for");
    }
    LOCARA_TRY(Response response,
               ranges->size() == 1 ? single(bytes, ranges->front()) : multipart(bytes, *ranges));
    response.status = 206;
    response.headers.add("Accept-Ranges", "bytes");
    response.headers.add("Cache-Control", "private, max-age=3600, immutable");
    return response;
}

} // namespace

void add_cas_data_routes(Routes& routes, const Services& services) {
    routes.get("/cas/xorbs/{hash}",
               [&services](const Request& request) { return xorb_ranges(services, request); });
}

} // namespace locara::hub
