package io.peft4j.hub;

import io.peft4j.hub.HubException.Reason;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One repository at one revision, brought into the cache as far as it is needed. */
final class Snapshot {

    private static final Logger LOG = LoggerFactory.getLogger(Snapshot.class);

    private static final int CONNECTIONS = 8; // as many as huggingface_hub opens

    private final HubRepository repository;
    private final HubContent content;
    private final HubCache cache;
    private final HubHttp http;
    private final HubApi api;
    private final DownloadMeter meter;
    private final BlobDownload download;
    private final Duration firstWait;

    Snapshot(
            HubRepository repository,
            HubContent content,
            HubCache cache,
            HubHttp http,
            DownloadMeter meter,
            long rangeBytes,
            Duration firstWait) {
        this.repository = repository;
        this.content = content;
        this.cache = cache;
        this.http = http;
        this.meter = meter;
        this.firstWait = firstWait;
        api = new HubApi(http, repository);
        download = new BlobDownload(http, cache, CONNECTIONS, rangeBytes, firstWait);
    }

    Path fetch(boolean offline) throws IOException {
        Optional<Path> cached = cached();
        if (offline) {
            return cached.orElseThrow(this::notCached);
        }
        if (repository.isCommit() && cached.isPresent()) {
            return cached.get();
        }
        HubApi.Listing listing;
        try {
            // what the cache has is better than a long wait
            listing = cached.isPresent() ? api.list() : BackOff.retry(firstWait, api::list);
        } catch (TransientFailure | HubException e) {
            if (cached.isEmpty()
                    || (e instanceof HubException hub && hub.reason() == Reason.NO_REVISION)) {
                throw e;
            }
            LOG.warn("{}; taking {} from the cache as it was", e.getMessage(), repository);
            return cached.get();
        }
        return fetch(listing);
    }

    private Path fetch(HubApi.Listing listing) throws IOException {
        Path snapshot = cache.snapshot(listing.commit());
        List<String> names = RepositoryFiles.choose(repository, snapshot, listing.files(), content);
        if (names.contains(RepositoryFiles.INDEX)) {
            bring(listing.commit(), List.of(RepositoryFiles.INDEX), new DownloadMeter(null));
            Set<String> shards = RepositoryFiles.shards(snapshot);
            Set<String> unlisted = new HashSet<>(shards);
            listing.files().forEach(unlisted::remove);
            if (!unlisted.isEmpty()) {
                throw new HubException(
                        Reason.NO_MODEL,
                        repository
                                + ": expected the shards that "
                                + RepositoryFiles.INDEX
                                + " names, found no "
                                + String.join(", ", unlisted));
            }
            names = new ArrayList<>(names);
            names.addAll(shards);
        }
        bring(listing.commit(), names, meter);
        // at the end: until then the revision means the snapshot that is complete
        if (content != HubContent.DESCRIPTION) {
            remember(listing.commit());
        }
        return snapshot;
    }

    /** Fetches those of some files that the snapshot lacks. */
    private void bring(String commit, Collection<String> names, DownloadMeter shown)
            throws IOException {
        Path snapshot = cache.snapshot(commit);
        List<Callable<RemoteFile>> questions = new ArrayList<>();
        for (String name : names) {
            if (!HubCache.isThere(snapshot.resolve(name))) {
                questions.add(() -> BackOff.retry(firstWait, () -> api.describe(commit, name)));
            }
        }
        if (questions.isEmpty()) {
            return;
        }
        List<RemoteFile> files = ParallelCalls.run(CONNECTIONS, questions);
        cache.prepare();
        requireSpace(files);
        shown.start(repository.toString(), files.stream().mapToLong(RemoteFile::size).sum());
        try {
            for (RemoteFile file : files) {
                download.fetch(file, snapshot.resolve(file.name()), shown);
            }
        } finally {
            shown.end();
        }
    }

    private void requireSpace(List<RemoteFile> files) throws IOException {
        double needed = 0; // sizes that lie must not overflow
        for (RemoteFile file : files) {
            needed += Files.exists(cache.blob(file.etag())) ? 0 : file.size();
            Path partial = cache.incomplete(file.etag(), BlobDownload.PARTIAL);
            needed -= Files.exists(partial) ? Files.size(partial) : 0;
        }
        long free = Files.getFileStore(cache.blobs()).getUsableSpace();
        if (needed > free) {
            throw new HubException(
                    Reason.DISK_FULL,
                    String.format(
                            java.util.Locale.ROOT,
                            "%s needs %.1f GB more in %s, but the disk has %.1f GB free; set"
                                    + " HF_HUB_CACHE to another disk",
                            repository,
                            needed / 1e9,
                            cache.root(),
                            free / 1e9));
        }
    }

    private void remember(String commit) {
        try {
            cache.remember(commit);
        } catch (IOException e) { // a cache that may only be read is a cache still
            LOG.warn("{}: cannot note what it means now: {}", repository, e.toString());
        }
    }

    private Optional<Path> cached() throws IOException {
        Optional<Path> snapshot = cache.commit().map(cache::snapshot).filter(Files::isDirectory);
        return snapshot.isPresent() && RepositoryFiles.missing(snapshot.get(), content).isEmpty()
                ? snapshot
                : Optional.empty();
    }

    private HubException notCached() {
        List<String> missing = List.of();
        @Nullable IOException unreadable = null;
        try {
            Optional<Path> snapshot = cache.commit().map(cache::snapshot);
            if (snapshot.filter(Files::isDirectory).isPresent()) {
                missing = RepositoryFiles.missing(snapshot.get(), content);
            }
        } catch (IOException e) {
            unreadable = e;
        }
        String message =
                repository
                        + (missing.isEmpty()
                                ? " is no directory here and not in the cache "
                                : " lacks " + String.join(", ", missing) + " in the cache ")
                        + cache.root()
                        + " and HF_HUB_OFFLINE is set; unset it to fetch from "
                        + http.endpoint();
        return unreadable == null
                ? new HubException(Reason.NOT_CACHED, message)
                : new HubException(Reason.NOT_CACHED, message, unreadable);
    }
}
