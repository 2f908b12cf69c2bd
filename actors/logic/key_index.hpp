// The names of many batches -> small dense numbers of one's own. A feed's batches share one table of names that only
// grows, so the translation of a whole batch is looked up once and costs an array access per event.
#pragma once

#include "messages/event/market_event.hpp"

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace finstream {

// `Make` is called once for each new series_key and gives its Entry.
template <class Entry> class key_index {
public:
  // Entries by the batch's own key numbers. Valid until the next call.
  template <class Make> std::vector<Entry>& translate(const event_batch& batch, Make make) {
    auto& seen = by_feed_[batch.feed];
    if (seen.names == batch.keys) return seen.entries;
    // Same table grown, or another one: either way every name it has is looked up once.
    seen.names = batch.keys;
    seen.entries.clear();
    seen.entries.reserve(batch.keys->size());
    for (auto& key : *batch.keys) seen.entries.push_back(find(key, make));
    return seen.entries;
  }

private:
  struct translation {
    std::shared_ptr<const std::vector<series_key>> names; // held, so that its address is not used again
    std::vector<Entry> entries;
  };

  template <class Make> Entry find(const series_key& key, Make& make) {
    auto at = known_.find(key);
    if (at == known_.end()) at = known_.emplace(key, make(key)).first;
    return at->second;
  }

  std::map<series_key, Entry> known_;
  std::unordered_map<std::string, translation> by_feed_; // only ever looked up by name
};

} // namespace finstream
