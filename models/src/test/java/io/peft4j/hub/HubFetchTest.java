package io.peft4j.hub;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.util.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What is fetched, and how it lies in the cache. */
final class HubFetchTest extends HubTestCase {

    @Test
    void aModelLiesInTheCacheAsHuggingfaceHubKeepsIt() throws IOException {
        Path snapshot = fetch();

        assertThat(snapshot)
                .isEqualTo(repository().resolve("snapshots").resolve(LoopbackHub.COMMIT));
        assertThat(snapshot.resolve(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
        for (String name : List.of("config.json", "tokenizer.json", WEIGHTS)) {
            assertThat(Files.readSymbolicLink(snapshot.resolve(name)))
                    .isEqualTo(Path.of("../../blobs", server.etag(name)));
        }
        assertThat(repository().resolve("refs/main")).hasContent(LoopbackHub.COMMIT);
        assertThat(Files.size(repository().resolve("refs/main"))).isEqualTo(40);
        assertThat(allFiles()).hasSize(3 + 3 + 1 + 1).contains("hub/CACHEDIR.TAG");
        assertThat(cache.resolve(".locks/models--org--name/" + server.etag(WEIGHTS) + ".lock"))
                .exists();
    }

    @Test
    void nothingIsAskedForThatIsNotOnTheList() throws IOException {
        for (String name :
                List.of(
                        "pytorch_model.bin",
                        "modeling_x.py",
                        "consolidated.safetensors",
                        "model.fp16.safetensors",
                        "onnx/model.safetensors",
                        "original/config.json",
                        "training_args.bin")) {
            server.files.put(name, new byte[] {1});
        }
        fetch();
        assertThat(server.requests.stream().map(LoopbackHub.Request::path))
                .noneMatch(path -> path.matches(".*(bin|\\.py|consol|fp16|onnx|orig|README).*"));
    }

    @Test
    void aShardedModelIsFetchedByItsIndex() throws IOException {
        shard();
        Path snapshot = fetch();
        assertThat(snapshot.resolve("model-00001-of-00002.safetensors"))
                .hasBinaryContent(bytes(100_000, 3));
        assertThat(snapshot.resolve("model-00002-of-00002.safetensors"))
                .hasBinaryContent(bytes(100, 4));
        assertThat(snapshot.resolve("model-00003-of-00002.safetensors")).doesNotExist();
    }

    private void shard() {
        server.files.remove(WEIGHTS);
        server.files.put(
                "model.safetensors.index.json",
                ("{\"weight_map\": {\"a\": \"model-00001-of-00002.safetensors\", \"b\":"
                                + " \"model-00002-of-00002.safetensors\"}}")
                        .getBytes(UTF_8));
        server.files.put("model-00001-of-00002.safetensors", bytes(100_000, 3));
        server.files.put("model-00002-of-00002.safetensors", bytes(100, 4));
        server.files.put("model-00003-of-00002.safetensors", bytes(100, 5));
        server.large.add("model-00001-of-00002.safetensors");
    }

    @Test
    void aLargeFileComesInRanges() throws IOException {
        fetch();
        assertThat(server.requests("storage", "GET", WEIGHTS).stream().map(r -> r.header("Range")))
                .containsExactlyInAnyOrder(
                        "bytes=0-65535",
                        "bytes=65536-131071",
                        "bytes=131072-196607",
                        "bytes=196608-262143",
                        "bytes=262144-299999");
    }

    @Test
    void whatIsThereIsNotFetchedAgain() throws IOException {
        fetch();
        server.requests.clear();
        fetch();
        assertThat(server.requests).hasSize(1);
        assertThat(server.requests.get(0).path()).isEqualTo("/api/models/org/name/revision/main");
    }

    @Test
    void aBranchThatMovedSharesItsBlobs() throws IOException {
        Path before = fetch();
        server.commit = "f".repeat(40);
        server.files.put("config.json", "{\"model_type\": \"mistral\"}".getBytes(UTF_8));
        server.requests.clear();

        Path after = fetch();

        assertThat(after).isNotEqualTo(before);
        assertThat(after.resolve("config.json")).content().contains("mistral");
        assertThat(before.resolve("config.json")).content().contains("llama");
        assertThat(after.resolve(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
        assertThat(server.requests("storage", "GET", "")).isEmpty();
        assertThat(repository().resolve("refs/main")).hasContent(server.commit);
    }

    @Test
    void aRevisionIsNotedUnderItsName() throws IOException {
        builder().build().fetchModel(NAME + "@refs/pr/1");
        assertThat(repository().resolve("refs/refs/pr/1")).hasContent(LoopbackHub.COMMIT);
        assertThat(server.requests.get(0).path()).endsWith("/revision/refs%2Fpr%2F1");
    }

    @Test
    void aCommitThatIsThereNeedsNoHub() throws IOException {
        Path fetched = builder().build().fetchModel(NAME + "@" + LoopbackHub.COMMIT);
        server.requests.clear();
        assertThat(builder().build().fetchModel(NAME + "@" + LoopbackHub.COMMIT))
                .isEqualTo(fetched);
        assertThat(server.requests).isEmpty();
        assertThat(repository().resolve("refs")).doesNotExist();
    }

    @Test
    void offlineTheCacheIsEnough() throws IOException {
        Path fetched = fetch();
        server.requests.clear();
        assertThat(builder().optOffline(true).build().fetchModel(NAME)).isEqualTo(fetched);
        assertThat(server.requests).isEmpty();
    }

    @Test
    void offlineWhatIsMissingIsNamed() throws IOException {
        Hub offline = builder().optOffline(true).build();
        assertThatThrownBy(() -> offline.fetchModel(NAME))
                .isInstanceOf(HubException.class)
                .hasMessage(
                        "org/name is no directory here and not in the cache "
                                + cache
                                + " and HF_HUB_OFFLINE is set; unset it to fetch from "
                                + server.url())
                .extracting(e -> ((HubException) e).reason())
                .isEqualTo(HubException.Reason.NOT_CACHED);
        shard();
        Path snapshot = fetch();
        Files.delete(snapshot.resolve("model-00002-of-00002.safetensors"));
        assertThatThrownBy(() -> offline.fetchModel(NAME))
                .hasMessageContaining("org/name lacks model-00002-of-00002.safetensors");
    }

    @Test
    void aHubOutOfReachLeavesTheCache() throws IOException {
        Path fetched = fetch();
        String gone = server.url();
        server.close();
        assertThat(builder().optEndpoint(gone).build().fetchModel(NAME)).isEqualTo(fetched);
        assertThatThrownBy(() -> builder().optEndpoint(gone).build().fetchModel("org/other"))
                .isInstanceOf(HubException.class)
                .hasMessageContaining("cannot connect; check the network and HF_ENDPOINT");
    }

    @Test
    void aHubThatFailsIsNotWaitedForWhenTheCacheHasTheModel() throws IOException {
        Path fetched = fetch();
        server.requests.clear();
        server.fault("listing", LoopbackHub.status(503), LoopbackHub.status(503));
        assertThat(fetch()).isEqualTo(fetched);
        assertThat(server.requests).hasSize(1);
    }

    @Test
    void aDirectoryOfThatNameWins() throws IOException {
        Path local = Files.createDirectories(directory.resolve("org/name"));
        assertThat(builder().build().fetchModel(local.toString())).isEqualTo(local);
        assertThat(server.requests).isEmpty();
    }

    @Test
    void anAdapterIsTwoFiles() throws IOException {
        server.files.put("adapter_config.json", "{}".getBytes(UTF_8));
        server.files.put("adapter_model.safetensors", bytes(10, 6));
        Path snapshot = builder().build().fetchAdapter(NAME);
        try (var entries = Files.list(snapshot)) {
            assertThat(entries.map(path -> path.getFileName().toString()))
                    .containsExactlyInAnyOrder("adapter_config.json", "adapter_model.safetensors");
        }
        assertThat(builder().build().fetch(NAME)).isEqualTo(snapshot);
        assertThat(snapshot.resolve(WEIGHTS)).doesNotExist();
        assertThat(fetch().resolve(WEIGHTS)).exists();
    }

    @Test
    void anAdapterIsNoModel() {
        server.files.keySet().removeIf(name -> !name.equals("README.md"));
        server.files.put("adapter_config.json", "{}".getBytes(UTF_8));
        assertThatThrownBy(this::fetch)
                .isInstanceOf(HubException.class)
                .hasMessageContaining("expected a model with config.json, found an adapter");
    }

    @Test
    void aSizeThatTheHubDoesNotTellIsAskedForWithOneByte() throws IOException {
        server.headTellsSize = false;
        assertThat(fetch().resolve("tokenizer.json")).hasBinaryContent(bytes(5000, 2));
        server.ranges = false;
        server.files.put("tokenizer.json", bytes(4000, 7));
        server.commit = "e".repeat(40);
        assertThat(fetch().resolve("tokenizer.json")).hasBinaryContent(bytes(4000, 7));
    }

    @Test
    void anEmptyFileIsAFile() throws IOException {
        server.files.put("merges.txt", new byte[0]);
        assertThat(fetch().resolve("merges.txt")).isEmptyFile();
    }

    @Test
    void withoutLinksTheFilesLieInTheSnapshot() throws IOException {
        Path snapshot = builder().optLinks(false).build().fetchModel(NAME);
        assertThat(Files.isSymbolicLink(snapshot.resolve(WEIGHTS))).isFalse();
        assertThat(snapshot.resolve(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
        assertThat(repository().resolve("blobs")).isEmptyDirectory();
        assertThat(builder().optLinks(false).optOffline(true).build().fetchModel(NAME))
                .isEqualTo(snapshot);
    }

    @Test
    void progressEndsAtTheTotal() throws IOException {
        Recorder recorder = new Recorder();
        server.fault(WEIGHTS, LoopbackHub.cutAfter(1000));
        builder().optProgress(recorder).build().fetchModel(NAME);
        long total = WEIGHT_BYTES.length + 5000 + server.files.get("config.json").length;
        assertThat(recorder.events.get(0)).isEqualTo("org/name " + total);
        assertThat(recorder.events).endsWith(Long.toString(total), "end");
    }

    private static final class Recorder implements Progress {

        private final List<String> events = new ArrayList<>();

        @Override
        public void reset(String message, long max, String trailing) {
            events.add(message + " " + max);
        }

        @Override
        public void start(long initial) {}

        @Override
        public void end() {
            events.add("end");
        }

        @Override
        public void increment(long increment) {
            throw new UnsupportedOperationException();
        }

        @Override
        public void update(long progress, String message) {
            events.add(Long.toString(progress));
        }
    }

    @Test
    void theEnvironmentDecides() throws IOException {
        Path home = Files.createDirectory(directory.resolve("home"));
        Files.writeString(home.resolve("token"), "hf_from_file\n");
        Hub.builder(
                        new HubEnvironment(
                                Map.of("HF_HOME", home.toString(), "HF_ENDPOINT", server.url()),
                                "/nowhere"))
                .build()
                .fetchModel(NAME);
        assertThat(home.resolve("hub/models--org--name/refs/main")).exists();
        assertThat(server.requests.get(0).header("Authorization")).isEqualTo("Bearer hf_from_file");
    }
}
