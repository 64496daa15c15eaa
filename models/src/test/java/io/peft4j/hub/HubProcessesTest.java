package io.peft4j.hub;

import static io.peft4j.hub.LoopbackHub.silentAfter;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Several downloads of one model at once, and one that is killed. */
final class HubProcessesTest extends HubTestCase {

    /** What a child process runs: endpoint, cache. */
    static final class Child {

        private Child() {}

        public static void main(String[] args) throws IOException {
            Path fetched =
                    Hub.builder(new HubEnvironment(Map.of(), args[1]))
                            .optEndpoint(args[0])
                            .optCache(Path.of(args[1]))
                            .optTimeout(Duration.ofSeconds(30))
                            .optRangeBytes(64 << 10)
                            .build()
                            .fetchModel(NAME);
            System.out.print(fetched);
        }
    }

    private Process child() throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Child.class.getName(),
                        server.url(),
                        cache.toString())
                .redirectError(directory.resolve("child.err").toFile())
                .start();
    }

    @Test
    void threadsFetchABlobOnce() throws IOException {
        server.fault(WEIGHTS, silentAfter(0, 300)); // time to meet
        List<Callable<Path>> calls = new ArrayList<>();
        Hub hub = builder().build();
        for (int i = 0; i < 4; i++) {
            calls.add(() -> hub.fetchModel(NAME));
            calls.add(() -> builder().build().fetchModel(NAME));
        }
        assertThat(ParallelCalls.run(8, calls))
                .allSatisfy(p -> assertThat(p.resolve(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES));
        assertThat(server.requests("hub", "GET", "tokenizer.json")).hasSize(1);
        assertThat(server.requests("storage", "GET", WEIGHTS)).hasSize(6);
        assertThat(allFiles()).noneMatch(file -> file.endsWith(".incomplete"));
    }

    @Test
    void processesFetchABlobOnce() throws Exception {
        server.fault("config.json", silentAfter(1000, 1500)); // time to meet: whole, but late
        Process first = child();
        Process second = child();
        assertThat(first.waitFor(20, TimeUnit.SECONDS)).isTrue();
        assertThat(second.waitFor(20, TimeUnit.SECONDS)).isTrue();
        assertThat(directory.resolve("child.err")).content().doesNotContain("Exception");
        assertThat(first.exitValue()).isZero();
        assertThat(second.exitValue()).isZero();
        assertThat(server.requests("hub", "GET", "config.json")).hasSize(1);
        assertThat(server.requests("storage", "GET", WEIGHTS)).hasSize(5);
        assertThat(fetch().resolve(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);
    }

    @Test
    void aKilledDownloadLeavesNoFileAndIsGoneOnWith() throws Exception {
        for (int i = 0; i < 5; i++) {
            server.fault(WEIGHTS, silentAfter(i == 2 ? 30_000 : 1 << 20, i == 2 ? 15_000 : 0));
        }
        Process killed = child();
        Path journal =
                repository().resolve("blobs/" + server.etag(WEIGHTS) + ".peft4j-ranges.incomplete");
        for (int i = 0; i < 3000 && !hasFourRanges(journal); i++) {
            LoopbackHub.sleep(10);
        }
        killed.destroyForcibly().waitFor();
        assertThat(blob(WEIGHTS)).doesNotExist();
        assertThat(repository().resolve("refs/main")).doesNotExist();
        server.requests.clear();
        server.faults.clear();

        assertThat(fetch().resolve(WEIGHTS)).hasBinaryContent(WEIGHT_BYTES);

        List<LoopbackHub.Request> requests = server.requests("storage", "GET", WEIGHTS);
        assertThat(requests).hasSize(1); // the one range that had not come
        assertThat(requests.get(0).header("If-Range")).startsWith("\"stored-");
        assertThat(allFiles()).noneMatch(file -> file.endsWith(".incomplete"));
    }

    private static boolean hasFourRanges(Path journal) throws IOException {
        return Files.exists(journal)
                && Files.readString(journal).lines().filter(l -> l.startsWith("have")).count() == 4;
    }
}
