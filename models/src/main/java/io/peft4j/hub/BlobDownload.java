package io.peft4j.hub;

import io.peft4j.files.AtomicFiles;
import io.peft4j.hub.HubException.Reason;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings one file into the cache: in parallel ranges, on from where an earlier attempt ended, and
 * under its final name only after its size and hash were found right.
 */
final class BlobDownload {

    private static final Logger LOG = LoggerFactory.getLogger(BlobDownload.class);

    /** What an unfinished file is called between hash and ending. */
    static final String PARTIAL = "peft4j";

    private static final String JOURNAL = "peft4j-ranges";

    private final HubHttp http;
    private final HubCache cache;
    private final int connections;
    private final long rangeBytes;
    private final Duration firstWait;

    BlobDownload(
            HubHttp http, HubCache cache, int connections, long rangeBytes, Duration firstWait) {
        this.http = http;
        this.cache = cache;
        this.connections = connections;
        this.rangeBytes = rangeBytes;
        this.firstWait = firstWait;
    }

    /** Fetches a file, unless another process just did, and links it into a snapshot. */
    void fetch(RemoteFile remote, Path target, DownloadMeter meter) throws IOException {
        try (CacheLock lock = cache.lock(remote.etag())) {
            boolean isNew = !cache.hasBlob(remote);
            if (isNew) {
                // without a lock, the file must be this process' own and cannot outlive it
                String own =
                        lock.isExclusive()
                                ? ""
                                : Long.toHexString(ThreadLocalRandom.current().nextLong());
                download(remote, own, meter);
            } else {
                meter.add(remote.size());
            }
            cache.link(remote.etag(), target, isNew);
        }
    }

    private void download(RemoteFile remote, String own, DownloadMeter meter) throws IOException {
        Path file = cache.incomplete(remote.etag(), PARTIAL + own);
        Path journal = cache.incomplete(remote.etag(), JOURNAL + own);
        for (boolean again = false; ; again = true) {
            try (PartialFile partial = PartialFile.open(file, journal, remote.size())) {
                long before = partial.received();
                meter.add(before);
                transfer(remote, partial, meter);
                if (BlobHash.matches(file, remote.etag())) {
                    partial.removeJournal();
                    AtomicFiles.rename(file, cache.blob(remote.etag()));
                    return;
                }
                partial.discard();
                meter.add(-remote.size());
                if (before == 0 || again) {
                    throw new HubException(
                            Reason.HASH_MISMATCH,
                            HubHttp.shown(remote.uri())
                                    + ": expected bytes with the hash "
                                    + remote.etag()
                                    + ", found others; they were removed, try again");
                }
                LOG.info("{}: what an earlier attempt left was damaged", remote.name());
            } finally {
                if (!own.isEmpty()) {
                    Files.deleteIfExists(file);
                    Files.deleteIfExists(journal);
                }
            }
        }
    }

    private void transfer(RemoteFile remote, PartialFile partial, DownloadMeter meter)
            throws IOException {
        List<ByteRange> missing = partial.missing(rangeBytes);
        ByteRange all = new ByteRange(0, remote.size());
        if (missing.equals(List.of(all))) {
            transfer(remote, partial, missing, true, meter);
            return;
        }
        try {
            transfer(remote, partial, missing, false, meter);
        } catch (RangesIgnored e) {
            LOG.info("{}: {}", HubHttp.shown(remote.uri()), e.getMessage());
            meter.add(-partial.received());
            partial.clear();
            transfer(remote, partial, List.of(all), true, meter);
        }
    }

    private void transfer(
            RemoteFile remote,
            PartialFile partial,
            List<ByteRange> ranges,
            boolean whole,
            DownloadMeter meter)
            throws IOException {
        RangeTransfer.Location location = new RangeTransfer.Location(remote.uri());
        List<RangeTransfer> transfers = new ArrayList<>();
        for (ByteRange range : ranges) {
            transfers.add(
                    new RangeTransfer(
                            http, remote, partial, range, whole, location, meter, firstWait));
        }
        ParallelCalls.run(connections, transfers);
    }
}
