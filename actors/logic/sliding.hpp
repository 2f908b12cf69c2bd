// A queue in one piece of memory: what is added at the end and taken off the front can be read as a span. What was
// taken off is only forgotten now and then, so that neither end costs more than a few moves.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace finstream {

template <class T> class sliding {
public:
  std::size_t size() const { return items_.size() - first_; }
  T& operator[](std::size_t at) { return items_[first_ + at]; }
  const T& operator[](std::size_t at) const { return items_[first_ + at]; }
  std::span<const T> span(std::size_t from, std::size_t count) const { return {items_.data() + first_ + from, count}; }
  auto begin() const { return items_.begin() + static_cast<std::ptrdiff_t>(first_); }
  auto end() const { return items_.end(); }

  void push_back(T x) { items_.push_back(std::move(x)); }
  void insert(std::size_t at, T x) { items_.insert(begin() + static_cast<std::ptrdiff_t>(at), std::move(x)); }
  void pop_front(std::size_t count) {
    first_ += count;
    if (first_ < 16 + size() / 4) return;
    items_.erase(items_.begin(), begin());
    first_ = 0;
  }

private:
  std::vector<T> items_;
  std::size_t first_ = 0; // those before are gone
};

} // namespace finstream
