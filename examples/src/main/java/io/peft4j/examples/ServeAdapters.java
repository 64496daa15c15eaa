package io.peft4j.examples;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.translate.TranslateException;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.peft4j.adapters.AdaptedModel;
import io.peft4j.adapters.Adapters;
import io.peft4j.files.SafePaths;
import io.peft4j.models.CausalLm;
import io.peft4j.models.GeneratedText;
import io.peft4j.models.GenerationConfig;
import io.peft4j.models.GenerationRequest;
import io.peft4j.models.GenerationTranslator;
import io.peft4j.models.Tokenizer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;

/**
 * Serves one model with many adapters over HTTP, on this machine alone. Each directory below {@code
 * ADAPTERS} is an adapter of its name.
 *
 * <pre>
 * ServeAdapters MODEL-DIRECTORY ADAPTERS PORT
 *
 * curl -d "Once upon a time" "localhost:8080/generate?adapter=tone"   # without adapter=: the base
 * curl -X PUT localhost:8080/adapters/tone      # take what lies in ADAPTERS/tone now
 * curl -X DELETE localhost:8080/adapters/tone
 * curl localhost:8080/adapters
 * </pre>
 *
 * <p>Requests run on several threads over the same weights. A request ends with the adapter that it
 * began with, whatever is put or deleted meanwhile.
 */
public final class ServeAdapters implements AutoCloseable {

    private static final int THREADS = 4;
    private static final int MOST_TEXT = 1 << 16;
    private static final GenerationConfig CONFIG =
            GenerationConfig.builder().optMaxNewTokens(64).build();

    private final Path directory;
    private final CausalLm model;
    private final Tokenizer tokenizer;
    private final AdaptedModel adapted;
    private final GenerationTranslator translator;
    private final Model predicting;
    private final ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    private final HttpServer server;

    private ServeAdapters(Path modelDirectory, Path directory, int port) throws IOException {
        this.directory = directory;
        List<Path> saved = saved(directory);
        model = CausalLm.load(modelDirectory, Device.cpu());
        tokenizer = Tokenizer.load(modelDirectory);
        adapted = Adapters.load(model.block(), saved.get(0));
        for (Path adapter : saved) {
            adapted.load(adapter.getFileName().toString(), adapter);
        }
        adapted.delete(AdaptedModel.DEFAULT);
        translator = new GenerationTranslator(model, tokenizer, adapted);
        predicting = translator.newModel();
        InetAddress here = InetAddress.getLoopbackAddress();
        server = HttpServer.create(new InetSocketAddress(here, port), 0);
        server.setExecutor(threads);
        server.createContext("/generate", exchange -> answer(exchange, this::generate));
        server.createContext("/adapters", exchange -> answer(exchange, this::adapters));
    }

    /**
     * Serves until the process ends.
     *
     * @param args the model's directory, the directory of adapters, and the port
     * @throws IOException if a file cannot be read or the port is taken
     */
    public static void main(String[] args) throws IOException {
        if (args.length != 3) {
            System.err.println("usage: ServeAdapters MODEL-DIRECTORY ADAPTERS PORT");
            System.exit(2);
        }
        ServeAdapters serving =
                start(Path.of(args[0]), Path.of(args[1]), Integer.parseInt(args[2]));
        System.out.println("serving " + serving.adapted.names() + " at " + serving.address());
    }

    /**
     * Starts to serve.
     *
     * @param model the model's directory
     * @param adapters the directory with a directory for each adapter, one at least
     * @param port the port; 0 for any that is free
     * @return the server; close it
     * @throws IOException if a file cannot be read or the port is taken
     */
    public static ServeAdapters start(Path model, Path adapters, int port) throws IOException {
        ServeAdapters serving = new ServeAdapters(model, adapters, port);
        serving.server.start();
        return serving;
    }

    /**
     * Returns where it listens.
     *
     * @return the address, without a path
     */
    public URI address() {
        return URI.create("http://localhost:" + server.getAddress().getPort());
    }

    private static List<Path> saved(Path directory) throws IOException {
        try (Stream<Path> entries = Files.list(directory)) {
            List<Path> saved =
                    entries.filter(entry -> Files.exists(entry.resolve("adapter_config.json")))
                            .sorted()
                            .toList();
            if (saved.isEmpty()) {
                throw new IOException("no directory of an adapter below " + directory);
            }
            return saved;
        }
    }

    private String generate(HttpExchange exchange) throws IOException, TranslateException {
        String prompt =
                new String(exchange.getRequestBody().readNBytes(MOST_TEXT), StandardCharsets.UTF_8);
        String query = exchange.getRequestURI().getQuery();
        String[] names =
                query != null && query.startsWith("adapter=")
                        ? query.substring("adapter=".length()).split(",")
                        : new String[0]; // the base model
        GenerationRequest request =
                GenerationRequest.builder()
                        .setPrompt(prompt)
                        .optAdapters(names)
                        .optConfig(CONFIG)
                        .build();
        try (Predictor<GenerationRequest, GeneratedText> predictor =
                predicting.newPredictor(translator)) {
            return predictor.predict(request).text();
        }
    }

    private String adapters(HttpExchange exchange) throws IOException {
        String name = exchange.getRequestURI().getPath().replaceFirst("^/adapters/?", "");
        switch (exchange.getRequestMethod()) {
            case "PUT" -> {
                Path saved = SafePaths.resolve(directory, name);
                if (adapted.names().contains(name)) {
                    adapted.hotswap(name, saved);
                } else {
                    adapted.load(name, saved);
                }
            }
            case "DELETE" -> adapted.delete(name);
            default -> {} // the list alone
        }
        return String.join("\n", adapted.names()) + "\n";
    }

    /** What answers a request. */
    private interface Handler {
        String handle(HttpExchange exchange) throws IOException, TranslateException;
    }

    private static void answer(HttpExchange exchange, Handler handler) throws IOException {
        int status = 200;
        String text;
        try {
            text = handler.handle(exchange);
        } catch (IOException | TranslateException | RuntimeException e) {
            status = 400; // an adapter that is not there, files that do not fit
            Throwable cause = e instanceof TranslateException ? e.getCause() : null;
            text = (cause == null ? e : cause).getMessage() + "\n";
        }
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "text/plain; charset=utf-8");
        exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    /** Ends the requests that run, and frees the model. */
    @Override
    public void close() {
        server.stop(1);
        threads.shutdown();
        predicting.close();
        adapted.close();
        tokenizer.close();
        model.close();
    }
}
