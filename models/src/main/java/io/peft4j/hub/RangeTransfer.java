package io.peft4j.hub;

import io.peft4j.hub.HubException.Reason;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.Callable;

/** Fetches one range of a file, over as many connections as get cut on the way. */
final class RangeTransfer implements Callable<Long> {

    /** Where a file turned out to be stored; shared by its transfers. */
    static final class Location {

        private volatile URI uri;

        Location(URI uri) {
            this.uri = uri;
        }
    }

    private static final long BYTES_BETWEEN_NOTES = 4 << 20;

    private final HubHttp http;
    private final RemoteFile remote;
    private final PartialFile partial;
    private final ByteRange range;
    private final boolean whole;
    private final Location location;
    private final DownloadMeter meter;
    private final BackOff backOff;
    private long at;
    private long noted;
    private long furthest;

    /**
     * Prepares a transfer.
     *
     * @param range what to fetch
     * @param whole whether a server that knows no ranges may begin again
     * @param location where the file turned out to be stored; shared by the file's transfers
     */
    RangeTransfer(
            HubHttp http,
            RemoteFile remote,
            PartialFile partial,
            ByteRange range,
            boolean whole,
            Location location,
            DownloadMeter meter,
            Duration firstWait) {
        this.http = http;
        this.remote = remote;
        this.partial = partial;
        this.range = range;
        this.whole = whole;
        this.location = location;
        this.meter = meter;
        backOff = new BackOff(firstWait);
        at = range.start();
        noted = at;
        furthest = at;
    }

    @Override
    public Long call() throws IOException {
        while (at < range.end()) {
            try {
                attempt();
            } catch (TransientFailure e) {
                if (at > furthest) { // beginning again and again is no progress
                    furthest = at;
                    backOff.progressed();
                }
                backOff.pause(e);
            } finally {
                note();
            }
        }
        return range.length();
    }

    private void attempt() throws IOException {
        boolean ranged = !whole || at > range.start();
        HttpResponse<ResponseBody> response = open(ranged);
        try (ResponseBody body = response.body()) {
            if (response.statusCode() == 206 && ranged) {
                requireRange(response);
            } else if (response.statusCode() == 200 && whole) {
                restart(response);
            } else if (response.statusCode() == 200) {
                throw new RangesIgnored();
            } else {
                throw protocol("unexpected answer (HTTP " + response.statusCode() + ")");
            }
            String encoding = response.headers().firstValue("Content-Encoding").orElse("identity");
            if (!encoding.equalsIgnoreCase("identity")) {
                throw protocol("expected the bytes as they are, found them as " + encoding);
            }
            rememberSource(response);
            copy(body);
        }
        if (at < range.end()) {
            throw new TransientFailure(
                    Reason.UNREACHABLE,
                    HubHttp.shown(remote.uri())
                            + ": the connection ended at byte "
                            + at
                            + " of "
                            + range.end(),
                    Duration.ZERO);
        }
    }

    private HttpResponse<ResponseBody> open(boolean ranged) throws IOException {
        Map<String, String> headers = new HashMap<>();
        if (ranged) {
            headers.put("Range", "bytes=" + at + "-" + (range.end() - 1));
            String validator = partial.validator();
            if (validator != null) {
                headers.put("If-Range", validator);
            }
        }
        try {
            return http.get(location.uri, headers);
        } catch (TransientFailure e) {
            // the storage's URL may have run out: ask the hub for another
            location.uri = remote.uri();
            throw e;
        }
    }

    private void requireRange(HttpResponse<?> response) throws HubException {
        String found = response.headers().firstValue("Content-Range").orElse("");
        OptionalLong total = HubApi.total(response);
        if (total.isPresent() && total.getAsLong() != remote.size()) {
            throw sizeMismatch(total.getAsLong());
        }
        if (total.isEmpty() || !found.startsWith("bytes " + at + "-")) {
            throw protocol("expected the bytes from " + at + ", found \"" + found + "\"");
        }
    }

    private void restart(HttpResponse<?> response) throws IOException {
        OptionalLong length = HubApi.number(response, "Content-Length");
        if (length.isPresent() && length.getAsLong() != remote.size()) {
            throw sizeMismatch(length.getAsLong());
        }
        if (at > range.start()) {
            meter.add(range.start() - at);
            partial.clear();
            at = range.start();
            noted = at;
        }
    }

    private void rememberSource(HttpResponse<?> response) throws IOException {
        String etag = response.headers().firstValue("ETag").orElse("");
        if (etag.startsWith("\"")) { // a weak one is no use for ranges
            partial.validator(etag);
        }
        if (!http.isEndpoint(response.uri())) {
            location.uri = response.uri();
        }
    }

    private void copy(ResponseBody body) throws IOException {
        for (ByteBuffer bytes = body.next(); bytes != null; bytes = body.next()) {
            int count = bytes.remaining();
            if (count > range.end() - at) {
                throw sizeMismatch(at + count);
            }
            partial.write(at, bytes);
            at += count;
            meter.add(count);
            if (at - noted >= BYTES_BETWEEN_NOTES) {
                note();
            }
        }
    }

    private void note() throws IOException {
        // an interrupt would close the journal under the other transfers
        boolean interrupted = Thread.interrupted();
        try {
            partial.written(noted, at);
            noted = at;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private HubException sizeMismatch(long found) {
        return new HubException(
                Reason.SIZE_MISMATCH,
                HubHttp.shown(remote.uri())
                        + ": expected "
                        + remote.size()
                        + " bytes as announced, found "
                        + found);
    }

    private HubException protocol(String detail) {
        return new HubException(Reason.PROTOCOL, HubHttp.shown(remote.uri()) + ": " + detail);
    }
}
