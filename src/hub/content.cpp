#include "content.hpp"

namespace locara::hub {
namespace {

/// Turns the pieces of the store into pieces of a body.
class PieceSource {
  public:
    PieceSource(const cas::Cas& cas, const xet::FileHash& file, xet::ByteRange range)
        : cas_(cas), file_(file), range_(range) {}

    Result<http::Piece> next() {
        if (!reader_) {
            LOCARA_TRY(auto opened, cas_.open_file(file_, range_, cas::RawChunks::Named));
            reader_ = std::move(opened);
        }
        LOCARA_TRY(const cas::Piece piece, reader_->next());
        if (piece.size() == 0) {
            return Error(ErrorCode::Corrupt, "file " + file_.render() + " ended early");
        }
        if (piece.file) {
            return http::Piece(http::FileBody{piece.file, piece.offset, piece.length});
        }
        return http::Piece(std::string(as_text(piece.bytes)));
    }

  private:
    const cas::Cas& cas_;
    const xet::FileHash file_;
    const xet::ByteRange range_;
    std::optional<cas::FileReader> reader_;
};

} // namespace

http::RangedBody open_content(const cas::Cas& cas, const xet::FileHash& file, std::uint64_t size) {
    return {size, [&cas, file](std::uint64_t offset, std::uint64_t length) {
                // Shared by the copies of the function, of which one at a time runs.
                const auto source = std::make_shared<PieceSource>(
                    cas, file, xet::ByteRange{offset, offset + length});
                return http::PiecesBody{length, [source] { return source->next(); }};
            }};
}

} // namespace locara::hub
