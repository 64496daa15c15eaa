package io.peft4j.hub;

import static io.peft4j.hub.LoopbackHub.cutAfter;
import static io.peft4j.hub.LoopbackHub.silentAfter;
import static io.peft4j.hub.LoopbackHub.status;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.peft4j.files.UnsafePathException;
import io.peft4j.hub.HubException.Reason;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Connections that break and servers that lie. */
final class HubFaultTest extends HubTestCase {

    private HubException failure() {
        return catchThrowableOfType(HubException.class, this::fetch);
    }

    private void assertNothingOf(String name) throws IOException {
        assertThat(blob(name)).doesNotExist();
        assertThat(repository().resolve("snapshots/" + server.commit + "/" + name)).doesNotExist();
        assertThat(repository().resolve("refs/main")).doesNotExist();
        assertThat(allFiles()).noneMatch(file -> file.endsWith(".incomplete"));
    }

    @Test
    void aCutFileGoesOnWhereItEnded() throws IOException {
        server.fault("tokenizer.json", cutAfter(2000), cutAfter(1500));
        assertThat(fetch().resolve("tokenizer.json")).hasBinaryContent(bytes(5000, 2));
        List<LoopbackHub.Request> requests = server.requests("hub", "GET", "tokenizer.json");
        assertThat(requests.stream().map(r -> r.header("Range")))
                .containsExactly("", "bytes=2000-4999", "bytes=3500-4999");
        assertThat(requests.get(1).header("If-Range"))
                .isEqualTo('"' + server.etag("tokenizer.json") + '"');
    }

    @Test
    void aCutRangeGoesOnWhereItEnded() throws IOException {
        server.fault(
                WEIGHTS,
                Collections.nCopies(5, cutAfter(10_000)).toArray(new LoopbackHub.Fault[0]));
        assertThat(fetch().resolve(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
        assertThat(server.requests("storage", "GET", WEIGHTS).stream().map(r -> r.header("Range")))
                .hasSize(10)
                .doesNotHaveDuplicates();
    }

    @Test
    void aCutFileBeginsAgainWhereTheServerKnowsNoRanges() throws IOException {
        server.ranges = false;
        server.fault("tokenizer.json", cutAfter(2000), cutAfter(4000));
        Path snapshot = fetch();
        assertThat(snapshot.resolve("tokenizer.json")).hasBinaryContent(bytes(5000, 2));
        assertThat(snapshot.resolve(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
    }

    @Test
    void cutsAtTheSamePlaceForEverAreGivenUp() throws IOException {
        server.ranges = false;
        server.fault(
                "tokenizer.json",
                Collections.nCopies(20, cutAfter(2000)).toArray(new LoopbackHub.Fault[0]));
        HubException failure = failure();
        assertThat(failure.reason()).isEqualTo(Reason.UNREACHABLE);
        assertThat(failure).hasMessageContaining("the connection was cut");
        assertThat(server.requests("hub", "GET", "tokenizer.json")).hasSize(6);
    }

    @Test
    void aServerThatFallsSilentIsAskedAgain() throws IOException {
        server.fault("tokenizer.json", silentAfter(1000, 9000));
        server.fault(WEIGHTS, silentAfter(0, 9000), silentAfter(50_000, 9000));
        long start = System.nanoTime();
        Path snapshot = builder().optTimeout(Duration.ofMillis(700)).build().fetchModel(NAME);
        assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(9));
        assertThat(snapshot.resolve("tokenizer.json")).hasBinaryContent(bytes(5000, 2));
        assertThat(snapshot.resolve(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
        assertThat(server.requests("hub", "GET", "tokenizer.json").get(1).header("Range"))
                .isEqualTo("bytes=1000-4999");
    }

    @Test
    void aBusyServerIsAskedAgainWhenItSays() throws IOException {
        server.fault("listing", status(429, "Retry-After", "1"), status(503));
        server.fault("config.json", status(500), status(429, "RateLimit", "\"api\";r=0;t=1"));
        long start = System.nanoTime();
        assertThat(fetch().resolve(WEIGHTS)).exists();
        assertThat(Duration.ofNanos(System.nanoTime() - start))
                .isGreaterThan(Duration.ofSeconds(2));
    }

    @Test
    void aServerThatAsksForTooMuchPatienceIsGivenUp() {
        server.fault("listing", status(429, "Retry-After", "86400"));
        HubException failure = failure();
        assertThat(failure.reason()).isEqualTo(Reason.RATE_LIMITED);
        assertThat(failure).hasMessageContaining("asked to wait 86400 s, try later");
    }

    @Test
    void aServerThatOnlyFailsIsGivenUp() {
        server.fault(
                "listing", Collections.nCopies(9, status(502)).toArray(new LoopbackHub.Fault[0]));
        HubException failure = failure();
        assertThat(failure.reason()).isEqualTo(Reason.SERVER_ERROR);
        assertThat(failure).hasMessageContaining("(HTTP 502), after 6 attempts");
    }

    @ParameterizedTest
    @ValueSource(strings = {WEIGHTS, "tokenizer.json"})
    void bytesWithAnotherHashAreRemoved(String name) throws IOException {
        byte[] good = server.files.get(name);
        server.etags.put(name, server.etag(name));
        byte[] bad = good.clone();
        bad[bad.length / 2] ^= 1;
        server.files.put(name, bad);
        HubException failure = failure();
        assertThat(failure.reason()).isEqualTo(Reason.HASH_MISMATCH);
        assertThat(failure).hasMessageContaining(server.etag(name)).hasMessageContaining(name);
        assertNothingOf(name);
        server.files.put(name, good);
        assertThat(fetch().resolve(name)).hasBinaryContent(good);
    }

    @ParameterizedTest
    @CsvSource({
        "model.safetensors, 299999",
        "model.safetensors, 300001",
        "model.safetensors, 400000",
        "tokenizer.json, 4999",
        "tokenizer.json, 5001"
    })
    void anotherSizeThanAnnouncedIsRefused(String name, long size) throws IOException {
        server.sizes.put(name, size);
        assertThat(failure().reason()).isEqualTo(Reason.SIZE_MISMATCH);
        assertThat(blob(name)).doesNotExist();
        assertThat(repository().resolve("refs/main")).doesNotExist();
        server.sizes.clear();
        assertThat(fetch().resolve(name)).hasBinaryContent(server.files.get(name));
    }

    @Test
    void aSizeThatNoDiskHoldsIsRefusedBeforeAByteIsFetched() {
        server.sizes.put(WEIGHTS, Long.MAX_VALUE);
        HubException failure = failure();
        assertThat(failure.reason()).isEqualTo(Reason.DISK_FULL);
        assertThat(failure).hasMessageContaining("set HF_HUB_CACHE to another disk");
        assertThat(server.requests("storage", "GET", "")).isEmpty();
    }

    @Test
    void aDiskThatRunsFullIsNamed() {
        IOException failure =
                PartialFile.diskFailure(new IOException("No space left on device"), cache);
        assertThat(failure)
                .isInstanceOf(HubException.class)
                .hasMessageContaining("the disk of the hub's cache is full at " + cache);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../../../../evil.safetensors",
                "/evil.safetensors",
                "sub/../../evil.json",
                "..\\..\\evil.safetensors"
            })
    void aNameThatLeavesTheRepositoryIsRefused(String name) throws IOException {
        server.alsoListed.add(name);
        assertThatThrownBy(this::fetch).isInstanceOf(UnsafePathException.class);
        assertThat(allFiles()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"../../../evil.safetensors", "/evil.safetensors", "sub/x.safetensors"})
    void anIndexThatLeavesTheRepositoryIsRefused(String name) throws IOException {
        server.files.remove(WEIGHTS);
        server.files.put(
                "model.safetensors.index.json",
                ("{\"weight_map\": {\"a\": \"" + name + "\"}}").getBytes(UTF_8));
        assertThatThrownBy(this::fetch).isInstanceOf(IOException.class);
        assertThat(allFiles()).noneMatch(file -> file.contains("evil"));
        assertThat(server.requests.stream().map(LoopbackHub.Request::path))
                .noneMatch(path -> path.contains("evil") || path.contains("sub"));
    }

    @Test
    void aShardThatTheRepositoryLacksIsNamed() {
        server.files.remove(WEIGHTS);
        server.files.put(
                "model.safetensors.index.json",
                "{\"weight_map\": {\"a\": \"model-1.safetensors\"}}".getBytes(UTF_8));
        assertThat(failure()).hasMessageContaining("found no model-1.safetensors");
    }

    @Test
    void aHashOrCommitThatIsAPathIsRefused() throws IOException {
        server.etags.put(WEIGHTS, "../../../../evil");
        assertThat(failure().reason()).isEqualTo(Reason.PROTOCOL);
        server.commit = "../../../evil";
        assertThat(failure().reason()).isEqualTo(Reason.PROTOCOL);
        assertThat(allFiles()).noneMatch(file -> file.contains("evil"));
    }

    @Test
    void anAnswerThatIsNoHubsIsRefused() {
        server.fault(
                "listing",
                (exchange, body) -> {
                    byte[] page = "<html>please log in</html>".getBytes(UTF_8);
                    exchange.sendResponseHeaders(200, page.length);
                    exchange.getResponseBody().write(page);
                    return true;
                });
        assertThat(failure().reason()).isEqualTo(Reason.PROTOCOL);
    }

    @ParameterizedTest
    @CsvSource({
        "401, , UNAUTHORIZED, the token may not read it",
        "403, , UNAUTHORIZED, the token may not read it",
        "403, GatedRepo, GATED, access must be asked for on",
        "401, GatedRepo, GATED, access must be asked for on",
        "404, RepoNotFound, NO_REPOSITORY, check the name",
        "404, , NO_REPOSITORY, check the name",
        "418, , PROTOCOL, unexpected answer (HTTP 418)"
    })
    void aRefusalSaysWhatToDo(int code, String error, Reason reason, String message) {
        server.fault("listing", status(code, "X-Error-Code", error == null ? "" : error));
        HubException failure = failure();
        assertThat(failure.reason()).isEqualTo(reason);
        assertThat(failure).hasMessageContaining(message).hasMessageNotContaining(TOKEN);
    }

    @Test
    void withoutATokenTheRefusalAsksForOne() throws IOException {
        server.fault("listing", status(401));
        Hub hub = builder().optToken(null).build();
        assertThatThrownBy(() -> hub.fetchModel(NAME))
                .hasMessageContaining("give a token in HF_TOKEN");
    }

    @Test
    void anUnknownRevisionIsNamed() throws IOException {
        Hub hub = builder().build();
        assertThatThrownBy(() -> hub.fetchModel(NAME + "@v2"))
                .hasMessageContaining("no branch, tag or commit \"v2\"");
    }

    @Test
    void picklesAloneAreRefusedWithAWayOut() {
        server.files.remove(WEIGHTS);
        server.files.put("pytorch_model-00001-of-00002.bin", new byte[] {1});
        HubException failure = failure();
        assertThat(failure.reason()).isEqualTo(Reason.PICKLE);
        assertThat(failure)
                .hasMessageContaining("pytorch_model-00001-of-00002.bin")
                .hasMessageContaining("save_pretrained");
        assertThat(server.requests("hub", "HEAD", "")).isEmpty();
    }

    @Test
    void aDamagedRestOfAnEarlierDownloadIsFetchedAgain() throws IOException {
        Path blobs = Files.createDirectories(repository().resolve("blobs"));
        byte[] rest = WEIGHT_BYTES.clone();
        rest[7] ^= 1;
        Files.write(blobs.resolve(server.etag(WEIGHTS) + ".peft4j.incomplete"), rest);
        Files.writeString(
                blobs.resolve(server.etag(WEIGHTS) + ".peft4j-ranges.incomplete"),
                "size 300000\nhave 0 200000\nhave 2000");
        assertThat(fetch().resolve(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
        List<LoopbackHub.Request> requests = server.requests("storage", "GET", WEIGHTS);
        assertThat(requests.get(0).header("Range")).startsWith("bytes=2");
        assertThat(requests).hasSizeGreaterThan(4);
    }

    @Test
    void aBlobThatWasCutIsFetchedAgain() throws IOException {
        Path snapshot = fetch();
        Files.delete(snapshot.resolve(WEIGHTS));
        Files.write(blob(WEIGHTS), new byte[17]);
        assertThat(fetch().resolve(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
    }

    @Test
    void aSnapshotThatIsNotWholeDoesNotReplaceTheOneThatIs() throws IOException {
        Path whole = fetch();
        server.commit = "d".repeat(40);
        server.files.put("tokenizer.json", bytes(100, 9));
        server.etags.put("tokenizer.json", "a".repeat(40));
        assertThat(failure().reason()).isEqualTo(Reason.HASH_MISMATCH);
        assertThat(builder().optOffline(true).build().fetchModel(NAME)).isEqualTo(whole);
    }
}
