// The answer that one of git's programs writes, sent while it writes it.
#pragma once

#include "git_program.hpp"
#include "reading_pace.hpp"

#include <locara/base/log.hpp>
#include <locara/http/message.hpp>

#include <boost/asio/awaitable.hpp>

#include <string_view>

namespace locara::hub {

/// Sends `first` and then all that the program writes. Cancelled when the client has gone away, or
/// keeps less than the pace (a line of the log says so); Timeout; Internal when a signal ended the
/// program. With any exit code it has told the client what was wrong, in its own protocol.
boost::asio::awaitable<Status> send_answer(GitProgram& program,
                                           std::string_view first,
                                           const ReadingPace::Limits& limits,
                                           Log& log,
                                           http::BodyWriter& writer);

} // namespace locara::hub
