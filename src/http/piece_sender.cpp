#include "piece_sender.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <sys/sendfile.h>
#include <sys/socket.h>

namespace locara::http {
namespace {

/// How much one turn on the pool sends before others get theirs.
constexpr std::uint64_t kTurnBytes = 4U << 20U;
/// What is sent the ordinary way when the socket is full.
constexpr std::uint64_t kBlockBytes = 64U << 10U;

/// sendfile(2) has no MSG_NOSIGNAL; on a pool's thread the signal of a broken connection stays
/// pending for ever and kills nobody.
void block_sigpipe() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

std::uint64_t length_of(const Piece& piece) {
    const auto* const text = std::get_if<std::string>(&piece);
    return text != nullptr ? text->size() : std::get<FileBody>(piece).length;
}

Error short_file() {
    return Error(ErrorCode::Corrupt, "a file ended before the bytes that were promised of it");
}

} // namespace

PieceSender::Stop PieceSender::fail(Error error) {
    error_ = std::move(error);
    return Stop::Bad;
}

/// Makes sure that there is a piece to send; false at the end of the body.
Result<bool> PieceSender::advance() {
    while (body_.length > 0 && !piece_) {
        LOCARA_TRY(Piece next, body_.next());
        const std::uint64_t length = length_of(next);
        if (length > body_.length) {
            return Error(ErrorCode::Internal, "the pieces of a body are longer than the body");
        }
        if (length > 0) {
            piece_ = std::move(next);
            text_sent_ = 0;
        }
    }
    return piece_.has_value();
}

void PieceSender::consume(std::uint64_t count) {
    body_.length -= count;
    if (const auto* const text = std::get_if<std::string>(&*piece_)) {
        text_sent_ += count;
        if (text_sent_ == text->size()) {
            piece_.reset();
        }
        return;
    }
    auto& file = std::get<FileBody>(*piece_);
    file.offset += count;
    file.length -= count;
    if (file.length == 0) {
        piece_.reset();
    }
}

/// One system call's worth of the current piece.
ssize_t PieceSender::push() {
    if (const auto* const text = std::get_if<std::string>(&*piece_)) {
        const std::size_t left = text->size() - text_sent_;
        const int more = left < body_.length ? MSG_MORE : 0;
        return ::send(
            socket_.get(), text->data() + text_sent_, left, MSG_NOSIGNAL | MSG_DONTWAIT | more);
    }
    const auto& file = std::get<FileBody>(*piece_);
    auto offset = static_cast<off_t>(file.offset);
    return ::sendfile(socket_.get(),
                      file.file->get(),
                      &offset,
                      static_cast<std::size_t>(std::min(file.length, kTurnBytes)));
}

/// Moves up to kBlockBytes of the current piece to `waiting_`.
Status PieceSender::take_block() {
    if (const auto* const text = std::get_if<std::string>(&*piece_)) {
        waiting_ = text->substr(text_sent_, kBlockBytes);
    } else {
        const auto& file = std::get<FileBody>(*piece_);
        waiting_.resize(static_cast<std::size_t>(std::min(file.length, kBlockBytes)));
        LOCARA_CHECK(
            read_exactly_at(*file.file, file.offset, std::as_writable_bytes(std::span(waiting_))));
    }
    consume(waiting_.size());
    return {};
}

PieceSender::Stop PieceSender::run() {
    block_sigpipe();
    std::uint64_t sent = 0;
    while (sent < kTurnBytes) {
        const auto more = advance();
        if (!more) {
            return fail(more.error());
        }
        if (!*more) {
            return Stop::Done;
        }
        const ssize_t count = push();
        if (count > 0) {
            consume(static_cast<std::uint64_t>(count));
            sent_ += static_cast<std::uint64_t>(count);
            sent += static_cast<std::uint64_t>(count);
        } else if (count == 0) {
            return fail(short_file());
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            const Status taken = take_block();
            return taken ? Stop::Full : fail(taken.error());
        } else if (errno == EIO) {
            return fail(Error::from_errno("reading a file that is being sent", errno));
        } else if (errno != EINTR) {
            return Stop::Gone;
        }
    }
    return Stop::Turn;
}

} // namespace locara::http
