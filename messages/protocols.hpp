// Every actor's interface, on one page. `INTERNAL` marks what an actor says to itself or hears from its own threads.
#pragma once

#include "messages/ids.hpp"

#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>

namespace finstream {

// Anyone in the tree says how it is.
using observable = caf::typed_actor<caf::replies_to<verb::status>::with<status_report>>;

// Anyone in the tree can be told to finish: it does what it must (drain, checkpoint) and quits.
using managed = caf::typed_actor<caf::reacts_to<verb::stop>>::extend_with<observable>;

// Supervises children from their specs.
using supervisor_actor = caf::typed_actor<
  // Starts the child at this path again, be it parked or well.
  caf::replies_to<verb::restart, std::string>::with<bool>,
  // INTERNAL: look after children that are being stopped.
  caf::reacts_to<verb::pulse>>::extend_with<managed>;

// Hears that a chunk_part is in the log.
using append_listener = caf::typed_actor<
  // partition, and the number the sender gave the part.
  caf::reacts_to<verb::appended, std::uint16_t, std::uint64_t>>;

// Reads the records of a partition as they come.
using entry_reader = caf::typed_actor<caf::reacts_to<fresh_entries>>;
using derived_reader = caf::typed_actor<caf::reacts_to<fresh_derived>>;
using commit_listener = caf::typed_actor<caf::reacts_to<verb::committed, std::uint64_t>>;

// Hears what became of what it asked to have set aside, by its key: whether it is.
using set_aside_listener = caf::typed_actor<caf::reacts_to<verb::set_aside, std::string, bool>>;
// Sets something aside: the letter is written, once for each key, and then the listener is told.
using aside_setter = caf::typed_actor<caf::reacts_to<verb::set_aside, set_aside_ptr, set_aside_listener>>;

// Takes what the stages before it made of the log. At the end of the line the appender writes it, and answers with
// `committed` and `dealt_with`.
using result_taker = caf::typed_actor<caf::reacts_to<verb::commit, stage_result_ptr, commit_listener>>;

// Hears that all before this offset of topic `features` is dealt with: what its model said of it is in the log.
using answer_listener = caf::typed_actor<caf::reacts_to<verb::answered, std::uint16_t, std::uint64_t>>;

// The one writer of a partition. Consumers pull from it; it answers when there is something.
using appender_actor = caf::typed_actor<
  caf::reacts_to<verb::append, chunk_part_ptr, std::uint64_t, append_listener>,
  caf::reacts_to<verb::pull, std::uint64_t, entry_reader>,
  caf::reacts_to<verb::pull, derived_topic, std::uint64_t, derived_reader>,
  // What a model said: written once, however often it is handed in.
  caf::reacts_to<verb::answer, answers_ptr, answer_listener>,
  // From the backfill lane.
  caf::reacts_to<verb::append, lane_part_ptr, std::uint64_t, append_listener>,
  // The rules in force have changed: the log is to be told.
  caf::reacts_to<verb::obey>,
  // Another process has written to the log.
  caf::reacts_to<verb::grown>,
  // INTERNAL: log the passing of time; try again to write.
  caf::reacts_to<verb::pulse>>::extend_with<result_taker>::extend_with<aside_setter>::extend_with<managed>;

// Events -> bars of one partition.
using window_actor = caf::typed_actor<
  // INTERNAL: time for a checkpoint.
  caf::reacts_to<verb::pulse>>::extend_with<entry_reader>::extend_with<commit_listener>::
  extend_with<set_aside_listener>::extend_with<managed>;

// Bars -> features, and features -> signals. They act on what they are handed, and hand it on.
using features_actor = result_taker::extend_with<managed>;
using inference_actor = result_taker::extend_with<managed>;

// Hears that so many requests may be made, by this run of a feed's process.
using grant_listener = caf::typed_actor<caf::reacts_to<verb::grant, std::uint64_t, std::uint32_t>>;

// Holds the requests of all feeds of one provider to its limits.
using pacer_actor = caf::typed_actor<
  // What a run of a feed's process said of its requests; grants go to the listener.
  caf::reacts_to<verb::pace, pace_line, std::uint64_t, grant_listener>,
  // INTERNAL: the next in line may go.
  caf::reacts_to<verb::pulse>>::extend_with<managed>;

// One feed process -> the log.
using ingestor_actor = caf::typed_actor<
  // INTERNAL: from the thread that waits for the process.
  caf::reacts_to<feed_lines>, caf::reacts_to<feed_long_line>, caf::reacts_to<feed_error_line>,
  caf::reacts_to<feed_exit>,
  // INTERNAL: deadlines.
  caf::reacts_to<verb::pulse>,
  // Start the process again, be it parked or well.
  caf::reacts_to<verb::restart>>::extend_with<append_listener>::extend_with<grant_listener>::extend_with<managed>;

// Events of the past -> the log, and what follows from them.
using backfill_actor = caf::typed_actor<
  // Lines that someone posted: answered by their own function.
  caf::reacts_to<verb::append, backfill_post_ptr>,
  // INTERNAL: look for windows that can be healed.
  caf::reacts_to<verb::pulse>>::extend_with<append_listener>::extend_with<managed>;

// Topics -> connections: encodes each record once.
using hub_actor = caf::typed_actor<
  caf::reacts_to<subscription_change>, caf::reacts_to<sys_event>,
  // INTERNAL: look for appenders that have come back.
  caf::reacts_to<verb::pulse>,
  // From the server's thread: it was backed up and is no longer.
  caf::reacts_to<verb::has_room>>::extend_with<entry_reader>::extend_with<derived_reader>::extend_with<managed>;

// Keeps what everyone tells of their runs.
using job_keeper_actor = caf::typed_actor<
  // A run has begun, goes on, or is over.
  caf::reacts_to<job_run>,
  // INTERNAL: try again to write.
  caf::reacts_to<verb::pulse>>::extend_with<managed>;

// The log -> a store outside it.
using store_writer_actor = caf::typed_actor<
  // INTERNAL: look for something to write.
  caf::reacts_to<verb::pulse>>::extend_with<set_aside_listener>::extend_with<managed>;

// Features -> what a trained model says of them.
using model_actor = caf::typed_actor<
  // INTERNAL: look for appenders that have come back.
  caf::reacts_to<verb::pulse>>::extend_with<derived_reader>::extend_with<answer_listener>::extend_with<managed>;

// Which partitions this process works on, where several share a log.
using work_keeper_actor = caf::typed_actor<
  // INTERNAL: hear what the others have said.
  caf::reacts_to<verb::pulse>>::extend_with<managed>;

// Has something set aside by the process that writes the letters, where that is another one.
using letter_sender_actor = caf::typed_actor<
  // INTERNAL: look whether it is.
  caf::reacts_to<verb::pulse>>::extend_with<aside_setter>::extend_with<managed>;

// Sets aside what other processes ask for.
using letter_taker_actor = caf::typed_actor<
  // INTERNAL: look for requests.
  caf::reacts_to<verb::pulse>>::extend_with<set_aside_listener>::extend_with<managed>;

// Sets aside what other programs that read the log's streams have given up on.
using given_up_taker_actor = caf::typed_actor<
  // INTERNAL: ask the broker what that is.
  caf::reacts_to<verb::pulse>>::extend_with<set_aside_listener>::extend_with<managed>;

// One client's WebSocket.
using session_actor = caf::typed_actor<
  // A text frame from the client.
  caf::reacts_to<verb::said, std::string>,
  // Its connection is gone: close code and reason.
  caf::reacts_to<verb::closed, std::uint16_t, std::string>>::extend_with<managed>;

// HTTP and WebSocket for clients. Requests and connections are named by number: the server's own, kept by the gateway.
using gateway_actor = caf::typed_actor<
  // INTERNAL: from the server's thread.
  caf::reacts_to<verb::ask, std::uint64_t>, caf::reacts_to<verb::opened, std::uint64_t>,
  caf::reacts_to<verb::said, std::uint64_t, std::string>,
  caf::reacts_to<verb::closed, std::uint64_t, std::uint16_t, std::string>>::extend_with<managed>;

} // namespace finstream
