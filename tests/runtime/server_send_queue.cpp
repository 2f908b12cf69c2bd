// The queue of one connection without a socket: wherever the kernel stops taking bytes, the stream is the same.
#define CAF_SUITE server_send_queue
#include "runtime/server/send_queue.hpp"

#include "tests/support/suite.hpp"

#include <array>

using namespace finstream;

namespace {

outgoing_ptr batch_of(const std::string& text, std::uint64_t records = 1, nanoseconds born = 0) {
  std::string_view only = text;
  return std::make_shared<outgoing>(std::span{&only, 1}, records, born);
}

// Takes at most `most` bytes, as a socket would.
std::string take(send_queue& queue, std::size_t most, std::size_t max_write_bytes = 1000) {
  static std::array<iovec, max_frame_pieces> pieces;
  auto count = queue.pieces(pieces, max_write_bytes);
  std::string result;
  for (std::size_t i = 0; i < count; ++i)
    result.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  result.resize(std::min(result.size(), most));
  if (!result.empty()) queue.advance(result.size());
  return result;
}

std::string frame(std::string payload) {
  char header[max_frame_header_bytes];
  return std::string{header, write_frame_header(header, frame_kind::text, payload.size())} + payload;
}

} // namespace

CAF_TEST(what waits goes out as one array) {
  send_queue queue;
  CAF_CHECK_EQUAL(take(queue, 1000), "");
  queue.push(batch_of("1"));
  queue.push(batch_of("2,3", 2));
  queue.push(batch_of("4"));
  CAF_CHECK_EQUAL(queue.bytes(), 5u);
  CAF_CHECK_EQUAL(take(queue, 1000), frame("[1,2,3,4]"));
  CAF_CHECK(queue.empty());
  CAF_CHECK_EQUAL(queue.bytes(), 0u);
}

CAF_TEST(blocks are joined to one frame) {
  std::array<std::string_view, 3> texts{"1", "22", "{}"};
  outgoing made{texts, 3, 0};
  CAF_CHECK_EQUAL(made.frame(), frame("[1,22,{}]"));
  CAF_CHECK_EQUAL(made.text(), "1,22,{}");
}

CAF_TEST(a batch that goes out alone is sent from where it is) {
  send_queue queue;
  auto made = batch_of("{}");
  queue.push(made);
  std::array<iovec, max_frame_pieces> pieces;
  CAF_REQUIRE_EQUAL(queue.pieces(pieces, 1000), 1u);
  CAF_CHECK(pieces[0].iov_base == made->frame().data());
}

CAF_TEST(a socket that takes any number of bytes gets the same stream) {
  std::string big(300, 'x');
  std::string whole = frame("[11,22," + big + "]") + frame("[44]");
  for (std::size_t most = 1; most <= whole.size(); ++most) {
    send_queue queue;
    queue.push(batch_of("11"));
    queue.push(batch_of("22"));
    queue.push(batch_of(big));
    std::string stream = take(queue, most);
    queue.push(batch_of("44")); // what comes while a frame is under way is in the next
    while (!queue.empty()) stream += take(queue, most);
    if (most < frame("[11,22," + big + "]").size()) CAF_CHECK_EQUAL(stream, whole);
  }
}

CAF_TEST(a frame that has not begun takes in what comes) {
  send_queue queue;
  queue.push(batch_of("1"));
  CAF_CHECK_EQUAL(take(queue, 0), "");
  queue.push(batch_of("2"));
  CAF_CHECK(!queue.mid_frame());
  CAF_CHECK_EQUAL(take(queue, 1000), frame("[1,2]"));
}

CAF_TEST(a frame ends before the write limit and before the kernel limit) {
  send_queue queue;
  for (int i = 0; i < 4; ++i) queue.push(batch_of(std::string(40, 'x')));
  CAF_CHECK_EQUAL(take(queue, 1000, 100).size(),
                  frame("[" + std::string(40, 'x') + "," + std::string(40, 'x') + "]").size());
  CAF_CHECK_EQUAL(take(queue, 1000, 10).size(), frame("[" + std::string(40, 'x') + "]").size()); // one at least
  send_queue many;
  for (std::size_t i = 0; i < max_batches_per_frame + 1; ++i) many.push(batch_of("1"));
  CAF_CHECK_EQUAL(take(many, 1 << 20, 1 << 20).size(), 4 + 2 * max_batches_per_frame + 1);
  CAF_CHECK_EQUAL(take(many, 1 << 20, 1 << 20), frame("[1]"));
}

CAF_TEST(records are counted when their frame is out) {
  send_queue queue;
  queue.push(batch_of("1,2", 2));
  queue.push(batch_of("3", 1));
  std::array<iovec, max_frame_pieces> pieces;
  queue.pieces(pieces, 1000);
  CAF_CHECK_EQUAL(queue.advance(3), 0u);
  CAF_CHECK(queue.mid_frame());
  queue.pieces(pieces, 1000);
  CAF_CHECK_EQUAL(queue.advance(frame("[1,2,3]").size() - 3), 3u);
  CAF_CHECK(!queue.mid_frame());
}

CAF_TEST(what is dropped is everything but the rest of the frame that is under way) {
  send_queue queue;
  queue.push(batch_of("1"));
  queue.push(batch_of("2"));
  auto start = take(queue, 3);
  queue.push(batch_of("3"));
  queue.drop_waiting();
  CAF_CHECK_EQUAL(start + take(queue, 1000), frame("[1,2]"));
  CAF_CHECK(queue.empty());
  queue.push(batch_of("4"));
  take(queue, 0);
  queue.drop_waiting();
  CAF_CHECK(queue.empty());
  CAF_CHECK_EQUAL(queue.bytes(), 0u);
}

CAF_TEST(the age is that of the first in line) {
  send_queue queue;
  for (int i = 0; i < 1000; ++i) queue.push(batch_of("1", 1, i));
  CAF_CHECK_EQUAL(queue.oldest(), 0);
  take(queue, 1000, 10); // "[1,1,1,1]": a fifth would make it 11
  CAF_CHECK_EQUAL(queue.oldest(), 4);
  while (!queue.empty()) take(queue, 1000);
  queue.push(batch_of("1", 1, 7));
  CAF_CHECK_EQUAL(queue.oldest(), 7);
}
