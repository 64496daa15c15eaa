package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.models.CausalLm;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.TextGenerator;
import io.peft4j.models.Tokenizer;
import io.peft4j.testdata.TestData;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class ServeAdaptersTest {

    private static final Path GOLDEN = TestData.path("golden/llama3");

    @TempDir private Path directory;
    private Path model;
    private Path adapters;
    private final HttpClient client = HttpClient.newHttpClient();

    @BeforeEach
    void twoAdapters() throws IOException {
        model = directory.resolve("model");
        copy(GOLDEN.resolve("model"), model);
        copy(TestData.path("golden/tokenizer"), model);
        adapters = directory.resolve("adapters");
        copy(GOLDEN.resolve("lora"), adapters.resolve("tone"));
        copy(GOLDEN.resolve("dora"), adapters.resolve("facts"));
    }

    private static void copy(Path source, Path target) throws IOException {
        Files.createDirectories(target);
        try (Stream<Path> files = Files.list(source)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                Path to = target.resolve(file.getFileName().toString());
                Files.deleteIfExists(to);
                Files.copy(file, to);
            }
        }
    }

    /** What the library says without a server. */
    private String expected(String saved) throws IOException {
        try (CausalLm base = CausalLm.load(model, Device.cpu());
                Tokenizer tokenizer = Tokenizer.load(model);
                AdaptedModel adapted =
                        saved.isEmpty()
                                ? null
                                : Adapters.load(base.block(), GOLDEN.resolve(saved))) {
            return new TextGenerator(base, tokenizer)
                    .generate("Hello", GenerationConfig.builder().optMaxNewTokens(64).build())
                    .text();
        }
    }

    private HttpRequest post(URI server, String query) {
        return HttpRequest.newBuilder(server.resolve("/generate" + query))
                .POST(BodyPublishers.ofString("Hello"))
                .build();
    }

    private HttpResponse<String> send(URI server, String method, String path) throws Exception {
        return client.send(
                HttpRequest.newBuilder(server.resolve(path))
                        .method(method, BodyPublishers.noBody())
                        .build(),
                BodyHandlers.ofString());
    }

    @Test
    void eachRequestIsAnsweredByItsAdapterAlsoWhileOneIsSwapped() throws Exception {
        String base = expected("");
        String lora = expected("lora");
        String dora = expected("dora");
        String newer = expected("rslora");
        assertThat(Set.of(base, lora, dora, newer)).hasSize(4);
        try (ServeAdapters serving = ServeAdapters.start(model, adapters, 0)) {
            URI server = serving.address();
            assertThat(send(server, "GET", "/adapters").body()).isEqualTo("facts\ntone\n");
            List<CompletableFuture<String>> tones = new ArrayList<>();
            List<CompletableFuture<String>> others = new ArrayList<>();
            copy(GOLDEN.resolve("rslora"), adapters.resolve("tone"));
            for (int i = 0; i < 8; i++) {
                tones.add(answer(post(server, "?adapter=tone")));
                others.add(answer(post(server, "?adapter=facts")));
                others.add(answer(post(server, "")));
                if (i == 3) {
                    tones.get(0).get(); // the old one has answered once at least
                    assertThat(send(server, "PUT", "/adapters/tone").statusCode()).isEqualTo(200);
                }
            }
            Set<String> said =
                    tones.stream().map(CompletableFuture::join).collect(Collectors.toSet());
            assertThat(said).isSubsetOf(lora, newer).contains(lora);
            assertThat(answer(post(server, "?adapter=tone")).get()).isEqualTo(newer);
            for (int i = 0; i < others.size(); i++) {
                assertThat(others.get(i).get()).isEqualTo(i % 2 == 0 ? dora : base);
            }
        }
    }

    private CompletableFuture<String> answer(HttpRequest request) {
        return client.sendAsync(request, BodyHandlers.ofString()).thenApply(HttpResponse::body);
    }

    @Test
    void whatIsNotThereIsAnErrorThatSaysSoAndChangesNothing() throws Exception {
        try (ServeAdapters serving = ServeAdapters.start(model, adapters, 0)) {
            URI server = serving.address();
            HttpResponse<String> unknown =
                    client.send(post(server, "?adapter=humour"), BodyHandlers.ofString());
            assertThat(unknown.statusCode()).isEqualTo(400);
            assertThat(unknown.body()).contains("humour");
            HttpResponse<String> outside = send(server, "PUT", "/adapters/../model");
            assertThat(outside.statusCode()).isEqualTo(400);
            assertThat(send(server, "DELETE", "/adapters/tone").body()).isEqualTo("facts\n");
            assertThat(send(server, "PUT", "/adapters/tone").body()).isEqualTo("facts\ntone\n");
        }
    }
}
