// The settings of the log, and of a broker that keeps it.
#include "runtime/config/option_table.hpp"

namespace finstream::option_table {

namespace {

void add_broker(table& out, broker_settings& x, buffer_settings& y, flow_rules& z) {
  add(
    out,
    {
      text("bus.broker.url", x.url, text_form::free,
           "Where it is: redis://[[user]:password@]host[:port][/database], nats://host:port or, of Kafka, "
           "host:port,host:port. tls:// encrypts what goes to NATS or Kafka (docs/brokers.md)."),
      text("bus.broker.tls_ca_file", x.security.ca_file, text_form::free,
           "Who may have signed the broker's certificate, in PEM. Empty: whom this machine trusts."),
      text("bus.broker.tls_certificate_file", x.security.certificate_file, text_form::free,
           "The certificate that this program shows, where the broker asks for one, in PEM."),
      text("bus.broker.tls_key_file", x.security.key_file, text_form::free, "Its private key, in PEM."),
      text("bus.broker.credentials_file", x.security.credentials_file, text_form::free,
           "Of a user of NATS: a file of type .creds, with a token and a seed."),
      plain("bus.broker.sasl_mechanism", x.security.mechanism,
            "How the password in the url is shown to Kafka. PLAIN shows it as it is: use it with tls://."),
      text("bus.broker.events_stream", x.events_stream, text_form::any,
           "The stream of what comes in; of partition 3 it is this and `:3`."),
      text("bus.broker.outputs_stream", x.outputs_stream, text_form::any,
           "The stream of what is made of it: bars, features, signals."),
      text("bus.broker.work_stream", x.work_stream, text_form::any,
           "Where processes with a role agree upon who works on which partition."),
      text("bus.broker.letters_stream", x.letters_stream, text_form::any,
           "Where processes with a role ask the one with the role ingest to write dead letters for them."),
      number("bus.broker.claim_after_ms", x.claim_after_ms, 200, hour_ms,
             "A process that was not heard of for so long counts as dead: others claim its partitions and finish what "
             "it had begun."),
      plain("bus.broker.framing", x.framing,
            "block: packed, for FinStream alone. event: before each block, every event of it as one message of JSON, "
            "for other programs."),
      plain("bus.broker.compression", x.compression, "Of blocks."),
      number("bus.broker.connect_timeout_ms", x.connect_timeout_ms, 10, minute_ms, "For connecting."),
      number("bus.broker.request_timeout_ms", x.request_timeout_ms, 10, minute_ms,
             "For an answer: after this long the broker counts as down, and is connected to anew."),
      number("bus.broker.acknowledge_timeout_ms", x.acknowledge_timeout_ms, 0, minute_ms,
             "How long a write waits for the broker. Then, or at once where the broker is down, it is acknowledged as "
             "buffered."),
      number("bus.broker.keep_entries", x.keep_entries, 0, 1'000'000'000'000,
             "How many entries a stream keeps, about; each is a batch of events. What a group has yet to read is kept "
             "beyond. 0 keeps all, and only then can a node begin anew from the broker alone."),
      number("bus.buffer.max_bytes", y.max_bytes, mebibyte, 100 * tebibyte,
             "How much may wait for the broker on this disk. At this limit feeds come to wait."),
      number("bus.buffer.alert_bytes", y.alert_bytes, 0, 100 * tebibyte,
             "From here on a warning says how much it is. 0 says nothing."),
      number("bus.buffer.keep_ms", y.keep_ms, 0, day_ms,
             "How long what the broker has acknowledged is kept all the same: if it comes back without, it is sent "
             "again. More than the broker may lose when it is killed."),
      number("bus.buffer.retry_initial_ms", y.retry_initial_ms, 1, minute_ms,
             "The longest first pause before a broker that is down is tried again; it doubles, and a random part of "
             "it is waited."),
      number("bus.buffer.retry_max_ms", y.retry_max_ms, 1, hour_ms, "The longest pause."),
      plain(
        "bus.flow.policy", z.policy,
        "Of the messages for other programs (framing event) while much waits for the broker. delay: all wait their "
        "turn. drop: those of `types` are thinned, and then left out, and counted. The log itself is never thinned."),
      plain("bus.flow.types", z.types,
            "Which may be left out: tick, bar, quote, end_of_interval, features, signal. Market data only if you name "
            "it."),
      number("bus.flow.slow_bytes", z.slow_bytes, 0, 100 * tebibyte,
             "While more than this waits, until it is half of it, only one in `keep_one_in` of each type is sent."),
      number("bus.flow.keep_one_in", z.keep_one_in, 1, 1'000'000, "See slow_bytes."),
      number("bus.flow.drop_bytes", z.drop_bytes, 0, 100 * tebibyte, "While more than this waits, none is sent."),
    });
}

} // namespace

void add_bus(table& out, bus_settings& x) {
  add(out,
      {
        plain("bus.type", x.type,
              "Who keeps the log: this machine alone (embedded), or a server of yours, in streams that other nodes and "
              "programs can read. FINSTREAM_BUS in the environment overrides it."),
        plain("bus.durability", x.level,
              "What an acknowledgement promises: none (lost if the process is killed), interval (survives kill -9, and "
              "is on the disk "
              "at most sync_interval_ms later), batch (on the disk first)."),
        number("bus.sync_interval_ms", x.sync_interval_ms, 1, minute_ms,
               "How much of the log a power cut may cost at durability interval."),
        number("bus.retain_ms", x.retain_ms, 0, longest_retention_ms,
               "For how long the log is kept at least; a sixth of it may be kept beyond. 604800000 is a week, 0 is for "
               "ever: then the disk fills. The bar store is kept whole, whatever is set."),
        number("bus.memtable_bytes", x.memtable_bytes, mebibyte, 4 * gibibyte,
               "Memory for what is not yet sorted to disk. Below 1 MiB the disk is kept busy with tiny files."),
        number("bus.cache_bytes", x.cache_bytes, 0, tebibyte, "Memory for blocks read from disk; 0 keeps none."),
      });
  add_broker(out, x.broker, x.buffer, x.flow);
}

} // namespace finstream::option_table
