"""What finstream-feed-synthetic promises."""
import json
import os
import signal
import time
import unittest

from feed_process import DEADLINE_SECONDS, close, events, lines, main, run, start

SIMULATED = ["--rate", 0, "--start-time", "2026-11-21T09:00:00Z"]
FAULTY = ["--late-share", 0.05, "--duplicate-share", 0.05, "--malformed-share", 0.05, "--oversize-share", 0.001]


def is_good(line):
    """A line that a node must take as an event."""
    try:
        event = json.loads(line.decode("utf-8"))
    except ValueError:
        return False
    return (isinstance(event, dict) and event.get("type") is None and isinstance(event.get("price"), float)
            and event["src_ts"][5:7] <= "12" and len(line) <= 65536)


class Lines(unittest.TestCase):
    def test_hello_comes_first_and_eof_last(self):
        code, output, errors = run(*SIMULATED, "--count", 3)
        self.assertEqual((code, errors), (0, ""))
        said = lines(output)
        self.assertEqual(said[0], {"type": "hello", "feed": "synthetic", "resumed": False})
        self.assertEqual(said[-1], {"type": "eof"})
        self.assertEqual(len(said), 5)

    def test_an_event_has_the_fields_of_the_v1_contract_in_their_order(self):
        _, output, _ = run(*SIMULATED, "--count", 1, "--symbols", "AAPL", "--provider", "mine")
        event = events(output)[0]
        self.assertEqual(list(event), ["ver", "provider", "symbol", "kind", "src_ts", "price", "size", "seq", "resume"])
        self.assertEqual((event["ver"], event["provider"], event["symbol"], event["kind"], event["seq"], event["resume"]),
                         ("1", "mine", "AAPL", "tick", "1", "1"))
        self.assertEqual(event["src_ts"], "2026-11-21T09:00:00.001000Z")
        self.assertRegex(event["price"], r"^\d+\.\d\d$")

    def test_symbols_are_a_number_or_names(self):
        _, output, _ = run(*SIMULATED, "--count", 2000, "--symbols", 5)
        self.assertEqual({x["symbol"] for x in events(output)}, {f"SYM00{i}" for i in range(5)})
        _, output, _ = run(*SIMULATED, "--count", 200, "--symbols", "B,A.C,D-E")
        self.assertEqual({x["symbol"] for x in events(output)}, {"B", "A.C", "D-E"})

    def test_lines_are_as_long_as_asked(self):
        _, output, _ = run(*SIMULATED, "--count", 20000, "--pad-to", 170)
        sizes = {len(line) + 1 for line in output.splitlines() if b"kind" in line}
        self.assertEqual(sizes, {170})

    def test_prices_walk_and_stay_near_their_start(self):
        _, output, _ = run(*SIMULATED, "--count", 200000, "--symbols", 1, "--start-price", 50, "--volatility", 0.001)
        prices = [round(float(x["price"]) * 100) for x in events(output)]
        steps = [b - a for a, b in zip(prices, prices[1:])]
        self.assertGreater(len(set(prices)), 100)
        deviation = (sum(s * s for s in steps) / len(steps)) ** 0.5
        self.assertAlmostEqual(deviation, 5000 * 0.001, delta=0.2)  # cents
        self.assertTrue(all(2500 < p < 10000 for p in prices))

    def test_the_wall_clock_gives_strictly_increasing_times(self):
        for rate in (0, 100000):
            before = time.time()
            _, output, _ = run("--rate", rate, "--count", 20000)
            times = [x["src_ts"] for x in events(output)]
            self.assertEqual(times, sorted(set(times)))
            self.assertGreaterEqual(times[-1][:19], time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(before)))
            self.assertLessEqual(times[-1][:19], time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()))


class Determinism(unittest.TestCase):
    def test_a_seed_gives_the_same_bytes_and_another_seed_gives_others(self):
        first = run(*SIMULATED, *FAULTY, "--count", 20000, "--seed", 7)
        self.assertEqual(first, run(*SIMULATED, *FAULTY, "--count", 20000, "--seed", 7))
        self.assertNotEqual(first, run(*SIMULATED, *FAULTY, "--count", 20000, "--seed", 8))

    def test_pace_changes_nothing_in_simulated_time(self):
        simulated = ["--start-time", "2026-11-21T09:00:00Z", "--count", 3000]
        self.assertEqual(run(*simulated, "--rate", 0), run(*simulated, "--rate", 20000))

    def test_resuming_anywhere_gives_what_the_unbroken_run_gives(self):
        arguments = [*SIMULATED, *FAULTY, "--count", 5000, "--seed", 3]
        whole = run(*arguments)[1].splitlines()
        for k in (1, 2, 63, 64, 65, 777, 4999, 5000):
            _, rest, _ = run(*arguments, resume=k)
            rest = rest.splitlines()
            self.assertEqual(rest[0], b'{"type":"hello","feed":"synthetic","resumed":true}')
            mark = b'"seq":%d,"resume":"%d"}' % (k, k)
            # The first line that is event k; repetitions of it come later.
            at = next(i for i, line in enumerate(whole) if line.endswith(mark) and is_good(line))
            self.assertEqual(rest[1:], whole[at + 1:], k)

    def test_resuming_by_the_wall_clock_goes_on_with_the_same_walk(self):
        def walk(output):
            return [(x["symbol"], x["price"], x["size"], x["seq"]) for x in events(output)]

        whole = walk(run("--rate", 0, "--count", 3000)[1])
        self.assertEqual(walk(run("--rate", 0, "--count", 3000, resume=1234)[1]), whole[1234:])

    def test_ten_million_events_are_passed_over_on_resuming(self):
        _, output, _ = run(*SIMULATED, "--count", 10_000_001, resume=10_000_000)
        self.assertEqual([x["seq"] for x in events(output)], ["10000001"])

    def test_a_token_that_is_no_number_starts_anew_and_says_so(self):
        code, output, errors = run(*SIMULATED, "--count", 2, resume="x7")
        self.assertEqual(code, 0)
        self.assertIn("FINSTREAM_RESUME_TOKEN", errors)
        self.assertEqual(lines(output)[0]["resumed"], False)
        self.assertEqual([x["seq"] for x in events(output)], ["1", "2"])


class Faults(unittest.TestCase):
    COUNT = 20000

    def clean(self):
        return [x for x in run(*SIMULATED, "--count", self.COUNT)[1].splitlines()]

    def test_broken_lines_come_as_often_as_asked_and_change_no_event(self):
        said = run(*SIMULATED, "--count", self.COUNT, "--malformed-share", 0.1)[1].splitlines()
        good = [x for x in said if x.startswith(b'{"type"') or is_good(x)]
        self.assertEqual(good, self.clean())
        self.assertAlmostEqual((len(said) - len(good)) / self.COUNT, 0.1, delta=0.01)

    def test_lines_are_broken_in_every_way(self):
        said = run(*SIMULATED, "--count", 3000, "--malformed-share", 1)[1].splitlines()
        bad = [x for x in said if not x.startswith(b'{"type"') and not is_good(x)]
        self.assertEqual(len(bad), 3000)
        self.assertTrue(all(b"\n" not in x for x in bad))
        for way in (lambda x: not x.endswith(b"}") and x.startswith(b"{"), lambda x: b"\xff" in x, lambda x: b'"prize"' in x,
                    lambda x: b'"price":"cheap","size"' in x, lambda x: b'"2026-13-' in x, lambda x: x == b"[1,2,3]"):
            self.assertGreater(sum(map(way, bad)), 300)

    def test_repetitions_are_exact_and_of_an_earlier_line(self):
        said = run(*SIMULATED, "--count", self.COUNT, "--duplicate-share", 0.1)[1].splitlines()
        seen, repeated = set(), 0
        unique = []
        for line in said:
            if line in seen:
                repeated += 1
            else:
                unique.append(line)
            seen.add(line)
        self.assertEqual(unique, self.clean())
        self.assertAlmostEqual(repeated / self.COUNT, 0.1, delta=0.01)

    def test_late_events_lie_back_by_no_more_than_asked(self):
        clean = events(b"\n".join(self.clean()))
        late = events(run(*SIMULATED, "--count", self.COUNT, "--late-share", 0.1, "--late-ms", 700)[1])
        shifts = []
        for a, b in zip(clean, late):
            self.assertEqual({**a, "src_ts": ""}, {**b, "src_ts": ""})
            if a["src_ts"] != b["src_ts"]:
                shifts.append(milliseconds(a["src_ts"]) - milliseconds(b["src_ts"]))
        self.assertAlmostEqual(len(shifts) / self.COUNT, 0.1, delta=0.01)
        self.assertTrue(all(1 <= x <= 700 for x in shifts))
        self.assertGreater(max(shifts), 600)

    def test_oversize_lines_are_over_the_limit_of_a_node(self):
        said = run(*SIMULATED, "--count", 2000, "--oversize-share", 0.05)[1].splitlines()
        oversize = [x for x in said if len(x) > 65536]
        self.assertTrue(50 < len(oversize) < 150, len(oversize))
        self.assertEqual({len(x) + 1 for x in oversize}, {70000})


def milliseconds(text):
    h, m, s = text[11:-1].split(":")
    return round((int(h) * 3600 + int(m) * 60 + float(s)) * 1000)


class Pace(unittest.TestCase):
    def test_a_run_takes_no_less_than_its_rate_says(self):
        before = time.monotonic()
        _, output, _ = run("--rate", 1000, "--count", 500)
        # The first is due at once; a busy machine may take longer, but never less.
        self.assertGreaterEqual(time.monotonic() - before, 499 / 1000)
        self.assertEqual(len(events(output)), 500)

    def test_heartbeats_come_between_events_that_are_far_apart(self):
        process = start("--rate", 0.5)
        said = [json.loads(process.stdout.readline()) for _ in range(5)]
        close(process)
        self.assertEqual([x.get("type", "event") for x in said], ["hello", "event", "heartbeat", "heartbeat", "heartbeat"])
        times = [x["src_ts"].rstrip("Z").ljust(29, "0") for x in said[1:]]
        self.assertEqual(times, sorted(times))


class End(unittest.TestCase):
    def ends_quietly(self, process):
        self.assertEqual(process.wait(DEADLINE_SECONDS), 0)
        self.assertEqual(process.stderr.read(), b"")

    def test_it_ends_when_its_standard_input_is_closed(self):
        for rate in (0.2, 0):
            process = start("--rate", rate)
            process.stdout.readline()
            process.stdin.close()
            rest = process.stdout.read()
            self.assertTrue(rest == b"" or rest.endswith(b"}\n"))
            self.assertNotIn(b'"eof"', rest)
            self.ends_quietly(process)
            process.stdout.close(), process.stderr.close()

    def test_it_ends_on_a_signal_in_the_middle_of_a_write_with_a_whole_line(self):
        for asked in (signal.SIGTERM, signal.SIGINT):
            process = start("--rate", 0)
            process.stdout.readline()
            wait_until_asleep(process.pid)  # the pipe is full
            process.send_signal(asked)
            self.assertTrue(process.stdout.read().endswith(b"}\n"))
            self.ends_quietly(process)
            close(process)

    def test_it_ends_on_a_signal_while_it_waits(self):
        process = start("--rate", 0.01)
        process.stdout.readline(), process.stdout.readline()
        process.terminate()
        self.ends_quietly(process)
        close(process)

    def test_it_ends_when_nobody_reads(self):
        process = start("--rate", 0)
        process.stdout.readline()
        process.stdout.close()
        self.ends_quietly(process)
        process.stdin.close(), process.stderr.close()


def wait_until_asleep(pid):
    for _ in range(6000):
        with open(f"/proc/{pid}/wchan") as file:
            where = file.read()
        with open(f"/proc/{pid}/stat") as file:
            state = file.read().rsplit(")", 1)[1].split()[0]
        if state == "S" and ("pipe" in where or where in ("", "0")):
            return
        time.sleep(0.01)
    raise AssertionError("the feed never came to wait")


class Usage(unittest.TestCase):
    def test_help_names_every_group(self):
        code, output, _ = run("--help")
        self.assertEqual(code, 0)
        for word in ("What:", "When:", "Faults", "--rate", "FINSTREAM_RESUME_TOKEN"):
            self.assertIn(word, output.decode())

    def test_what_makes_no_sense_is_refused_for_good(self):
        for arguments in (["--rate", "fast"], ["--late-share", 2], ["--symbols", 0], ["--symbols", "A,,B"], ["--symbols", 'A"B'],
                          ["--start-time", "today"], ["--provider", ""], ["--nonsense"]):
            code, output, errors = run(*arguments)
            self.assertEqual((code, output), (125, b""), arguments)
            self.assertNotEqual(errors, "", arguments)


if __name__ == "__main__":
    main()
