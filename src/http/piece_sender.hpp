// Puts the pieces of a body into a socket: files by sendfile(2), text as it is.
#pragma once

#include <locara/http/message.hpp>

#include <optional>
#include <string>

namespace locara::http {

/// Belongs to one thread at a time; every call may block on the disk, none on the socket.
class PieceSender {
  public:
    /// `socket` is non-blocking and this object's own (a duplicate): the connection may be closed
    /// elsewhere meanwhile.
    PieceSender(Fd socket, PiecesBody body) : socket_(std::move(socket)), body_(std::move(body)) {}

    enum class Stop {
        Done, ///< All of the body is on its way.
        Turn, ///< More can go at once; others on this pool had to wait long enough.
        Full, ///< The socket takes no more: send `waiting()`, waiting for room, then come back.
        Gone, ///< The client has left.
        Bad,  ///< A piece could not be read, see error().
    };

    Stop run();

    /// The bytes that come next when the answer was Full.
    const std::string& waiting() const { return waiting_; }

    const Error& error() const { return *error_; }

    /// What run() has put into the socket so far.
    std::uint64_t sent() const { return sent_; }

  private:
    Stop fail(Error error);
    Result<bool> advance();
    ssize_t push();
    Status take_block();
    void consume(std::uint64_t count);

    Fd socket_;
    PiecesBody body_;
    std::optional<Piece> piece_; ///< What is left of the current one.
    std::uint64_t sent_ = 0;
    std::size_t text_sent_ = 0; ///< Of the current one, if it is text.
    std::string waiting_;
    std::optional<Error> error_;
};

} // namespace locara::http
