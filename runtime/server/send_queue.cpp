#include "runtime/server/send_queue.hpp"

#include <algorithm>

namespace finstream {

namespace {

// A queue that was long once must not keep its memory when it is empty again.
constexpr std::size_t kept_capacity = 64;

char comma = ',';
char bracket = ']';

} // namespace

outgoing::outgoing(std::span<const std::string_view> texts, std::uint64_t records, nanoseconds born)
  : records_{records}, born_{born} {
  std::size_t payload = 1; // "[", and then each text with the "," or "]" after it
  for (auto& text : texts) payload += text.size() + 1;
  char head[max_frame_header_bytes];
  auto header = write_frame_header(head, frame_kind::text, payload);
  frame_.reserve(header + payload);
  frame_.append(head, header);
  frame_ += '[';
  text_at_ = frame_.size();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) frame_ += ',';
    frame_ += texts[i];
  }
  frame_ += ']';
}

void send_queue::push(outgoing_ptr what) {
  bytes_ += what->text().size();
  waiting_.push_back(std::move(what));
}

void send_queue::push_first(outgoing_ptr what) {
  if (!mid_frame()) frame_batches_ = 0;
  bytes_ += what->text().size();
  waiting_.insert(waiting_.begin() + static_cast<std::ptrdiff_t>(first_ + frame_batches_), std::move(what));
}

std::size_t send_queue::bytes() const { return bytes_ - std::min(bytes_, frame_sent_); }

nanoseconds send_queue::oldest() const { return waiting_[first_]->born(); }

void send_queue::choose_frame(std::size_t max_write_bytes) {
  frame_batches_ = 0;
  std::size_t payload = 1; // "[", and then each text with the "," or "]" after it
  do {
    payload += waiting_[first_ + frame_batches_]->text().size() + 1;
    ++frame_batches_;
  } while (frame_batches_ < max_batches_per_frame && first_ + frame_batches_ < waiting_.size() &&
           payload + waiting_[first_ + frame_batches_]->text().size() < max_write_bytes);
  frame_sent_ = 0;
  if (frame_batches_ == 1) {
    frame_bytes_ = waiting_[first_]->frame().size();
    return;
  }
  auto header = write_frame_header(head_, frame_kind::text, payload);
  head_[header] = '[';
  head_size_ = static_cast<std::uint8_t>(header + 1);
  frame_bytes_ = header + payload;
}

std::size_t send_queue::pieces(std::span<iovec, max_frame_pieces> out, std::size_t max_write_bytes) {
  if (empty()) return 0;
  // Until its first byte is out, a frame takes in what has come since.
  if (!mid_frame()) choose_frame(max_write_bytes);
  std::size_t count = 0;
  auto skip = frame_sent_;
  auto add = [&](const char* data, std::size_t size) {
    if (skip >= size) {
      skip -= size;
      return;
    }
    out[count++] = {const_cast<char*>(data) + skip, size - skip};
    skip = 0;
  };
  if (frame_batches_ == 1) {
    auto frame = waiting_[first_]->frame();
    add(frame.data(), frame.size());
    return count;
  }
  add(head_, head_size_);
  for (std::size_t i = 0; i < frame_batches_; ++i) {
    auto text = waiting_[first_ + i]->text();
    add(text.data(), text.size());
    add(i + 1 < frame_batches_ ? &comma : &bracket, 1);
  }
  return count;
}

std::uint64_t send_queue::advance(std::size_t written) {
  frame_sent_ += written;
  ensure(frame_sent_ <= frame_bytes_, "send_queue: more was written than was offered");
  if (frame_sent_ < frame_bytes_) return 0;
  std::uint64_t records = 0;
  for (std::size_t i = 0; i < frame_batches_; ++i) {
    auto& done = waiting_[first_ + i];
    records += done->records();
    bytes_ -= done->text().size();
    done.reset();
  }
  first_ += frame_batches_;
  frame_batches_ = frame_bytes_ = frame_sent_ = 0;
  if (empty()) {
    waiting_.clear();
    first_ = 0;
    if (waiting_.capacity() > kept_capacity) waiting_.shrink_to_fit();
  } else if (first_ > waiting_.size() / 2) {
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  return records;
}

void send_queue::drop_waiting() {
  if (!mid_frame()) frame_batches_ = frame_bytes_ = 0;
  waiting_.resize(first_ + frame_batches_);
  bytes_ = 0;
  for (auto i = first_; i < waiting_.size(); ++i) bytes_ += waiting_[i]->text().size();
}

} // namespace finstream
