// What the HTTP paths answer. Functions of a request and what the node knows; the gateway decides who asks when.
#pragma once

#include "actors/context.hpp"
#include "messages/command/backfill.hpp"
#include "runtime/server/server.hpp"

#include <string>
#include <vector>

namespace finstream {

http_response answer_health(const node_context& node);    // /healthz: the process is alive and the log can be written
http_response answer_readiness(const node_context& node); // /readyz: and every partition is recovered and caught up
http_response answer_metrics(const node_context& node);

// Rows of the stores, in pages by time over all providers.
http_response answer_bars(const node_context& node, const http_request& request);
http_response answer_features(const node_context& node, const http_request& request);
http_response answer_jobs(const node_context& node, const http_request& request);
http_response answer_signals(const node_context& node, const http_request& request);
http_response answer_signal(const node_context& node, const std::string& signal_id);

// POST /v1/backfill: lines for the backfill lane. Answered when the lane has answered.
void answer_backfill(const node_context& node, http_request request, respond answer);
// What the lane answers.
http_response written(const backfill_answer& x);

// /v1/lineage/signal/<id>, /v1/lineage/bar?... and /v1/lineage/event?...: `of` is what follows /v1/lineage/.
http_response answer_lineage(const node_context& node, const http_request& request, const std::string& of);

// /v1/dead-letters: the newest that match; and one of them, by its id.
http_response answer_dead_letters(const node_context& node, const http_request& request);
http_response answer_dead_letter(const node_context& node, const std::string& id);

// One line of /v1/tree: an actor's gauge, and its own words (a JSON object; empty if it did not answer in time).
std::string tree_line(const actor_gauge& gauge, const std::string& state, nanoseconds now_monotonic);

} // namespace finstream
