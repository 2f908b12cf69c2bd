// What waits to be sent to one connection, as plain logic: no socket, no clock. Whole batches go out as one text frame
// "[batch,batch,...]". A batch that goes out alone, as most do, is a whole frame already, the same bytes for everyone;
// several are pointed at. So nothing is copied for a connection.
#pragma once

#include "runtime/server/frames.hpp"
#include "runtime/server/server.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <sys/uio.h>
#include <vector>

namespace finstream {

// Blocks that were handed over together for the same connections: joined once, then shared by all of them.
class outgoing {
public:
  outgoing(std::span<const std::string_view> texts, std::uint64_t records, nanoseconds born);

  std::string_view frame() const { return frame_; } // header, "[", text, "]"
  std::string_view text() const { return frame().substr(text_at_, frame_.size() - text_at_ - 1); }
  std::uint64_t records() const { return records_; }
  nanoseconds born() const { return born_; } // of the oldest

private:
  std::string frame_;
  std::size_t text_at_ = 0;
  std::uint64_t records_;
  nanoseconds born_;
};
using outgoing_ptr = std::shared_ptr<const outgoing>;

inline constexpr std::size_t max_batches_per_frame = 500; // two pieces each and the header: under the kernel's 1024
inline constexpr std::size_t max_frame_pieces = 2 * max_batches_per_frame + 1;

class send_queue {
public:
  void push(outgoing_ptr what);
  void push_first(outgoing_ptr what); // before all that waits, but for a frame that is partly out
  bool empty() const { return first_ == waiting_.size(); }
  std::size_t bytes() const;                          // of text that is not out yet
  nanoseconds oldest() const;                         // when the oldest was born; not to be asked if empty
  bool mid_frame() const { return frame_sent_ != 0; } // a part of a frame is out: only the rest of it may follow

  // Points `out` at what is left of the current frame, which is chosen now if none is under way; returns how many
  // pieces.
  std::size_t pieces(std::span<iovec, max_frame_pieces> out, std::size_t max_write_bytes);
  // `written` bytes of what pieces() said are out. Returns the records in the frame if that completed it, otherwise 0.
  std::uint64_t advance(std::size_t written);
  // Forgets everything but the rest of a frame that is partly out.
  void drop_waiting();

private:
  void choose_frame(std::size_t max_write_bytes);

  std::vector<outgoing_ptr> waiting_; // from first_ on; a deque would cost every idle connection 600 bytes
  std::size_t first_ = 0;
  std::size_t bytes_ = 0;
  std::size_t frame_batches_ = 0; // 0: no frame is chosen
  std::size_t frame_bytes_ = 0;   // with its header and brackets
  std::size_t frame_sent_ = 0;
  char head_[max_frame_header_bytes + 1] = {}; // the frame's header and "["
  std::uint8_t head_size_ = 0;
};

} // namespace finstream
