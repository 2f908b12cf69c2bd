// The numbers of our message types and verbs. APPEND ONLY, here and in tests/golden/type_ids.txt: they are spoken
// between nodes.
#pragma once

#include "messages/command/backfill.hpp"
#include "messages/command/feed_output.hpp"
#include "messages/command/log_flow.hpp"
#include "messages/command/pace_line.hpp"
#include "messages/command/status.hpp"
#include "messages/command/subscription.hpp"
#include "messages/event/job_run.hpp"
#include "messages/event/sys_event.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/type_id.hpp>

CAF_BEGIN_TYPE_ID_BLOCK(finstream_messages, caf::first_custom_type_id)
CAF_ADD_TYPE_ID(finstream_messages, (finstream::status_report))
CAF_ADD_TYPE_ID(finstream_messages, (finstream::sys_event))
CAF_END_TYPE_ID_BLOCK(finstream_messages)

CAF_BEGIN_TYPE_ID_BLOCK(finstream_verbs, caf::id_block::finstream_messages::end)
CAF_ADD_ATOM(finstream_verbs, finstream::verb, status, "status")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, stop, "stop")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, pulse, "pulse")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, append, "append")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, appended, "appended")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, pull, "pull")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, pull_bars, "pull_bars") // no longer said
CAF_ADD_ATOM(finstream_verbs, finstream::verb, commit, "commit")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, committed, "committed")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, restart, "restart")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, opened, "opened")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, said, "said")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, closed, "closed")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, ask, "ask")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, has_room, "has_room")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, obey, "obey")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, pace, "pace")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, grant, "grant")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, answer, "answer")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, answered, "answered")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, set_aside, "set_aside")
CAF_ADD_ATOM(finstream_verbs, finstream::verb, grown, "grown")
CAF_END_TYPE_ID_BLOCK(finstream_verbs)

// Shared memory instead of bytes: these never leave the process.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::answers_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::chunk_part_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::lane_part_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::backfill_post_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::stage_result_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::set_aside_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::fresh_entries)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::fresh_derived)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::feed_lines)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::feed_long_line)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::feed_error_line)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::feed_exit)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::subscription_change)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::pace_line)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(finstream::job_run)
