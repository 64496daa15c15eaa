package io.peft4j.hub;

import ai.djl.util.Progress;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The Hugging Face hub: finds a model or an adapter by its name, in the cache or over the network.
 *
 * <pre>{@code
 * Path directory = Hub.fromEnvironment().fetchModel("org/name");
 * CausalLm model = CausalLm.load(directory, Device.cpu());
 * }</pre>
 *
 * <p>A name is {@code org/name} or {@code org/name@revision} with a branch, tag or commit; a
 * directory of that name wins. The cache is the one of Python's {@code huggingface_hub}, in its
 * layout: what one of them fetched the other finds. Only configs, tokenizer files and safetensors
 * are fetched, never code or pickles; a file gets its final name after its size and hash were found
 * right, and a download that was cut goes on where it ended, also in another process.
 *
 * <p>A revision is asked for each time, since a branch moves; files that are there are not fetched
 * again. When the hub cannot be asked, what the cache has for the revision is taken, with a
 * warning. A whole commit hash that is complete in the cache needs no network at all.
 *
 * <p>Instances may be used by several threads at once, if their progress may.
 */
public final class Hub {

    private final URI endpoint;
    private final Path cache;
    private final @Nullable String token;
    private final boolean offline;
    private final boolean links;
    private final Duration timeout;
    private final Duration firstWait;
    private final long rangeBytes;
    private final @Nullable Progress progress;
    private final @Nullable HubProxies proxies;
    private final HttpClient client;

    private Hub(Builder builder) {
        endpoint = builder.endpoint;
        cache = builder.cache.toAbsolutePath();
        token = builder.token;
        offline = builder.offline;
        links = builder.links;
        timeout = builder.timeout;
        firstWait = builder.firstWait;
        rangeBytes = builder.rangeBytes;
        progress = builder.progress;
        proxies = builder.proxies;
        client = HubHttp.client(timeout, proxies);
    }

    /**
     * Returns the hub that the environment describes, as {@code huggingface_hub} reads it: {@code
     * HF_ENDPOINT}, {@code HF_HOME}, {@code HF_HUB_CACHE}, {@code HF_TOKEN}, {@code HF_TOKEN_PATH},
     * the file {@code $HF_HOME/token}, {@code HF_HUB_OFFLINE}, {@code HF_HUB_DOWNLOAD_TIMEOUT},
     * {@code HF_HUB_DISABLE_SYMLINKS}, and the proxies of {@code HTTPS_PROXY}, {@code HTTP_PROXY}
     * and {@code ALL_PROXY} but for the hosts of {@code NO_PROXY}.
     *
     * @return the hub
     * @throws IllegalArgumentException if a variable has a value that cannot be; the message names
     *     it
     * @throws IOException if the token's file is there but cannot be read
     */
    public static Hub fromEnvironment() throws IOException {
        return builder().build();
    }

    /**
     * Returns a builder that starts with what the environment says.
     *
     * @return the builder
     * @throws IllegalArgumentException as {@link #fromEnvironment}
     * @throws IOException as {@link #fromEnvironment}
     */
    public static Builder builder() throws IOException {
        return new Builder(HubEnvironment.ofProcess());
    }

    static Builder builder(HubEnvironment environment) throws IOException {
        return new Builder(environment);
    }

    /**
     * Tells whether a text has the form {@code org/name} or {@code org/name@revision}.
     *
     * @param text the text
     * @return whether it may name a repository
     */
    public static boolean isRepositoryName(String text) {
        return HubRepository.isName(text);
    }

    /**
     * Finds a model: config, tokenizer and {@code model.safetensors}, or its index and shards.
     *
     * @param name a directory, or a repository
     * @return a directory in Hugging Face's layout; read it only, other programs share it
     * @throws HubException if the repository or a file of it cannot be had
     * @throws io.peft4j.files.UnsafePathException if the repository names a file outside itself
     * @throws IOException if the cache cannot be read or written
     */
    public Path fetchModel(String name) throws IOException {
        return fetch(name, HubContent.MODEL);
    }

    /**
     * Finds what describes a model, without its weights: {@code config.json} and the tokenizer's
     * files. The cache goes on taking the revision for what {@link #fetchModel} brought last.
     *
     * @param name a directory, or a repository
     * @return the directory; read it only
     * @throws IOException as {@link #fetchModel}
     */
    public Path fetchDescription(String name) throws IOException {
        return fetch(name, HubContent.DESCRIPTION);
    }

    /**
     * Finds an adapter in PEFT's format: {@code adapter_config.json} and {@code
     * adapter_model.safetensors}.
     *
     * @param name a directory, or a repository
     * @return the directory; read it only
     * @throws IOException as {@link #fetchModel}
     */
    public Path fetchAdapter(String name) throws IOException {
        return fetch(name, HubContent.ADAPTER);
    }

    /**
     * Finds an adapter if the repository holds one, and a model otherwise.
     *
     * @param name a directory, or a repository
     * @return the directory; read it only
     * @throws IOException as {@link #fetchModel}
     */
    public Path fetch(String name) throws IOException {
        return fetch(name, HubContent.EITHER);
    }

    private Path fetch(String name, HubContent content) throws IOException {
        Path directory = directory(name);
        if (directory != null) {
            return directory;
        }
        HubRepository repository = HubRepository.parse(name);
        HubHttp http = new HubHttp(client, proxies, endpoint, token, timeout, repository);
        return new Snapshot(
                        repository,
                        content,
                        new HubCache(cache, repository, links),
                        http,
                        new DownloadMeter(progress),
                        rangeBytes,
                        firstWait)
                .fetch(offline);
    }

    private static @Nullable Path directory(String name) {
        try {
            Path directory = Path.of(name);
            return Files.isDirectory(directory) ? directory : null;
        } catch (InvalidPathException e) {
            return null;
        }
    }

    /** Builds a {@link Hub}. */
    public static final class Builder {

        // long enough that asking for a range costs little beside it
        private static final long RANGE_BYTES = 32 << 20;

        private URI endpoint;
        private Path cache;
        private @Nullable String token;
        private boolean offline;
        private boolean links;
        private Duration timeout;
        private Duration firstWait = Duration.ofSeconds(1);
        private long rangeBytes = RANGE_BYTES;
        private @Nullable Progress progress;
        private final @Nullable HubProxies proxies;

        private Builder(HubEnvironment environment) throws IOException {
            endpoint = environment.endpoint();
            cache = environment.cache();
            token = environment.token();
            offline = environment.isOffline();
            links = environment.hasSymbolicLinks();
            timeout = environment.timeout();
            proxies = environment.proxies();
        }

        /**
         * Sets the hub to ask.
         *
         * @param url such as {@code https://huggingface.co}
         * @return this
         */
        public Builder optEndpoint(String url) {
            endpoint = HubEnvironment.endpoint(url);
            return this;
        }

        /**
         * Sets the cache's directory, which holds {@code models--org--name} directories.
         *
         * @param directory the directory; made when needed
         * @return this
         */
        public Builder optCache(Path directory) {
            cache = directory;
            return this;
        }

        /**
         * Sets the token, which is sent to the endpoint alone.
         *
         * @param secret the token, or null to ask without one
         * @return this
         */
        public Builder optToken(@Nullable String secret) {
            token = secret == null ? null : HubEnvironment.checkToken(secret, "token");
            return this;
        }

        /**
         * Sets whether to use the cache alone.
         *
         * @param cacheOnly whether no connection may be made
         * @return this
         */
        public Builder optOffline(boolean cacheOnly) {
            offline = cacheOnly;
            return this;
        }

        /**
         * Sets how long a connection, an answer and each next piece of it may take.
         *
         * @param limit the time
         * @return this
         */
        public Builder optTimeout(Duration limit) {
            timeout = limit;
            return this;
        }

        /**
         * Sets what is told about downloads, in bytes.
         *
         * @param listener told from several threads, one at a time; a connection that must begin
         *     again takes its bytes back, so that a later number may be smaller
         * @return this
         */
        public Builder optProgress(Progress listener) {
            progress = listener;
            return this;
        }

        Builder optFirstWait(Duration wait) {
            firstWait = wait;
            return this;
        }

        Builder optRangeBytes(long bytes) {
            rangeBytes = bytes;
            return this;
        }

        Builder optLinks(boolean symbolic) {
            links = symbolic;
            return this;
        }

        /**
         * Builds the hub.
         *
         * @return the hub
         */
        public Hub build() {
            return new Hub(this);
        }
    }
}
