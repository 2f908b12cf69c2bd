// The names of one feed: provider and symbol -> the key that rows carry, and the partition it belongs to. An
// open-addressing table over the bytes as they stand in the line; a symbol of up to eight characters is one comparison
// of one word.
#pragma once

#include "messages/event/market_event.hpp"
#include "messages/value/words.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace finstream {

class series_table {
public:
  static constexpr std::uint32_t no_provider = 0xFFFFFFFF;

  struct slot {
    std::uint64_t first_word = 0;
    std::uint32_t provider = no_provider; // of a free slot
    std::uint32_t key = 0;
    std::uint32_t partition = 0;
    std::uint32_t size = 0xFFFFFFFF; // of the symbol, in bytes; no symbol fits a free slot
  };

  series_table() : slots_(64) {}

  std::uint32_t find_provider(std::string_view name) const {
    auto found = providers_.find(name);
    return found == providers_.end() ? no_provider : found->second;
  }

  // Null if there is no such series. `first_word` is that of the symbol.
  const slot* find(std::uint32_t provider, std::uint64_t first_word, std::string_view symbol) const {
    auto i = hash(provider, first_word, symbol) & (slots_.size() - 1);
    for (;; i = (i + 1) & (slots_.size() - 1)) {
      const auto& x = slots_[i];
      if (x.first_word == first_word && x.provider == provider && x.size == symbol.size() &&
          (x.size <= sizeof(first_word) || keys_[x.key].symbol == symbol))
        return &x;
      if (x.provider == no_provider) return nullptr;
    }
  }
  const slot* find(std::string_view provider, std::string_view symbol) const {
    auto id = find_provider(provider);
    return id == no_provider ? nullptr : find(id, first_word_of(symbol), symbol);
  }

  // For a series that is not there yet.
  const slot* add(std::string_view provider, std::string_view symbol, std::uint32_t partition) {
    if ((keys_.size() + 1) * 2 > slots_.size()) grow();
    auto id = find_provider(provider);
    if (id == no_provider) {
      id = static_cast<std::uint32_t>(providers_.size());
      providers_.emplace(provider, id);
    }
    auto key = static_cast<std::uint32_t>(keys_.size());
    keys_.push_back({std::string{provider}, std::string{symbol}});
    return place({first_word_of(symbol), id, key, partition, static_cast<std::uint32_t>(symbol.size())});
  }

  std::size_t size() const { return keys_.size(); }

  // The keys as rows need them: the same table as before if nothing was added since.
  std::shared_ptr<const std::vector<series_key>> publish() {
    if (published_ == nullptr || published_->size() != keys_.size())
      published_ = std::make_shared<const std::vector<series_key>>(keys_);
    return published_;
  }

private:
  static std::uint64_t hash(std::uint32_t provider, std::uint64_t first_word, std::string_view symbol) {
    constexpr std::uint64_t odd = 0x9E3779B97F4A7C15;
    auto h = (first_word ^ (provider + symbol.size()) * 0xC2B2AE3D27D4EB4F) * odd;
    for (std::size_t i = sizeof(first_word); i < symbol.size(); i += sizeof(first_word))
      h = (h ^ (h >> 29) ^ first_word_of(symbol.substr(i))) * odd;
    return h ^ (h >> 32);
  }

  const slot* place(const slot& x) {
    const auto& symbol = keys_[x.key].symbol;
    auto i = hash(x.provider, x.first_word, symbol) & (slots_.size() - 1);
    while (slots_[i].provider != no_provider) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = x;
    return &slots_[i];
  }

  void grow() {
    auto old = std::exchange(slots_, std::vector<slot>(slots_.size() * 2));
    for (const auto& x : old)
      if (x.provider != no_provider) place(x);
  }

  std::vector<slot> slots_; // a power of two of them, at most half of them taken
  std::vector<series_key> keys_;
  std::map<std::string, std::uint32_t, std::less<>> providers_;
  std::shared_ptr<const std::vector<series_key>> published_;
};

} // namespace finstream
