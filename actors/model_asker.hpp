// MODEL ASKER: feature vectors -> what a trained model says of them. One for each model, on a thread of its own. It
// pulls the vectors of every partition, asks about all that are there at once, and hands what came of it to the
// partition's appender, which writes it down together with how far this model has come: so no vector is asked about
// twice in the log, and none is left out, whenever the node is killed.
//
// A model that fails is left alone for a while (the circuit breaker): its vectors are passed over, which is written
// down too, and rules go on alone. Nobody waits for a model.
#pragma once

#include "actors/context.hpp"
#include "actors/logic/circuit_breaker.hpp"
#include "actors/logic/seldom_told.hpp"
#include "messages/protocols.hpp"
#include "runtime/models/model.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finstream {

// A model as the node lends it to its asker, open and fit for the features there are.
struct served_model {
  std::unique_ptr<model> what;
  nanoseconds deadline = 0; // of one call
  bool level = false;       // the signals' emit
  nanoseconds cooldown = 0;
  std::uint64_t config_hash = 0;
};

struct model_asker_state {
  using interface = model_actor;
  static constexpr const char* name = "model";

  explicit model_asker_state(actor_of<model_asker_state>* self) : self_{self} {}
  void prepare(node_context* context, served_model* served);
  interface::behavior_type behavior();

private:
  struct stream {
    std::uint64_t next = 0; // in topic `features`; all before it is dealt with
    caf::actor_addr appender;
    bool pulling = false;
    answers_ptr underway; // handed in, not yet confirmed
  };
  struct batch;

  void recover();
  void on_pulse();
  void on_vectors(const fresh_derived& fresh);
  void on_answered(std::uint16_t partition, std::uint64_t until);
  void pull(std::uint16_t partition);
  bool pass_over_what_is_old(std::uint16_t partition);
  batch gather(std::uint16_t partition, const fresh_derived& fresh) const;
  void add(batch& to, const derived_record& record) const;
  void ask(answers& about, batch& found);
  void hand_in(std::uint16_t partition, answers what);
  void send(std::uint16_t partition);
  answers blank(std::uint64_t from, std::uint64_t until) const;
  void see_breaker();
  std::uint64_t lag() const;
  status_report status() const;

  actor_of<model_asker_state>* self_;
  node_context* context_ = nullptr;
  served_model* served_ = nullptr;
  std::string path_;
  std::vector<stream> streams_; // by partition
  std::optional<circuit_breaker> breaker_;
  breaker_state told_ = breaker_state::closed;
  std::size_t most_rows_ = 0; // of one call
  std::uint64_t calls_ = 0, failures_ = 0;
  std::string last_failure_;
  seldom_told failures_told_;
  metrics::histogram* seconds_ = nullptr;
  metrics::gauge* breaker_figure_ = nullptr;
  metrics::gauge* lag_figure_ = nullptr;
};

} // namespace finstream
