package io.peft4j.cli.compare;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** A Chromium without a window, driven by its own protocol (Chrome DevTools). */
final class HeadlessBrowser implements AutoCloseable {

    private static final long PATIENCE_SECONDS = 60;

    private final Process process;
    private final WebSocket socket;
    private final Listener listener;
    private int lastId;

    private HeadlessBrowser(Process process, WebSocket socket, Listener listener) {
        this.process = process;
        this.socket = socket;
        this.listener = listener;
    }

    /** Finds a browser on the path. */
    static Optional<Path> executable() {
        for (String directory : System.getenv("PATH").split(java.io.File.pathSeparator)) {
            for (String name : List.of("chromium", "chromium-browser", "google-chrome")) {
                Path file = Path.of(directory, name);
                if (Files.isExecutable(file)) {
                    return Optional.of(file);
                }
            }
        }
        return Optional.empty();
    }

    /** Starts it with a profile of its own. */
    static HeadlessBrowser start(Path executable, Path profile) throws Exception {
        List<String> command = new ArrayList<>(List.of(executable.toString(), "--headless"));
        command.addAll(List.of("--no-sandbox", "--disable-gpu", "--disable-quic"));
        command.addAll(List.of("--no-first-run", "--disable-background-networking"));
        command.addAll(List.of("--disable-component-update", "--disable-sync"));
        command.addAll(List.of("--remote-debugging-port=0", "--user-data-dir=" + profile));
        command.add("about:blank");
        Process process =
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start();
        try {
            String port = port(process, profile.resolve("DevToolsActivePort"));
            HttpClient client = HttpClient.newHttpClient();
            String pages =
                    client.send(
                                    HttpRequest.newBuilder(
                                                    URI.create(
                                                            "http://127.0.0.1:"
                                                                    + port
                                                                    + "/json/list"))
                                            .build(),
                                    HttpResponse.BodyHandlers.ofString())
                            .body();
            String address =
                    JsonParser.parseString(pages)
                            .getAsJsonArray()
                            .get(0)
                            .getAsJsonObject()
                            .get("webSocketDebuggerUrl")
                            .getAsString();
            Listener listener = new Listener();
            WebSocket socket =
                    client.newWebSocketBuilder().buildAsync(URI.create(address), listener).join();
            return new HeadlessBrowser(process, socket, listener);
        } catch (Exception e) {
            process.destroyForcibly();
            throw e;
        }
    }

    private static String port(Process process, Path file) throws Exception {
        for (long i = 0; i < PATIENCE_SECONDS * 10 && process.isAlive(); i++) {
            if (Files.exists(file) && Files.readString(file).contains("\n")) {
                return Files.readString(file).lines().findFirst().orElseThrow();
            }
            Thread.sleep(100);
        }
        throw new IOException("the browser did not start");
    }

    /** Opens a file as a screen of some width shows it. */
    void open(Path page, int width, int height, String colourScheme) throws Exception {
        call(
                "Emulation.setDeviceMetricsOverride",
                Map.of(
                        "width",
                        width,
                        "height",
                        height,
                        "deviceScaleFactor",
                        1,
                        "mobile",
                        width < 600));
        JsonObject media = new JsonObject();
        media.add(
                "features",
                JsonParser.parseString(
                        "[{\"name\":\"prefers-color-scheme\",\"value\":\""
                                + colourScheme
                                + "\"}]"));
        call("Emulation.setEmulatedMedia", media);
        call("Page.navigate", Map.of("url", page.toUri().toString()));
        for (int i = 0; i < 100 && !evaluate("document.readyState").equals("complete"); i++) {
            Thread.sleep(50);
        }
    }

    /** The value of an expression, as text. */
    String evaluate(String expression) throws Exception {
        JsonObject answer =
                call(
                        "Runtime.evaluate",
                        Map.of("expression", "String(" + expression + ")", "returnByValue", true));
        return answer.getAsJsonObject("result").get("value").getAsString();
    }

    /** A picture of the whole page. */
    byte[] screenshot() throws Exception {
        JsonObject answer =
                call(
                        "Page.captureScreenshot",
                        Map.of("format", "png", "captureBeyondViewport", true));
        return Base64.getDecoder().decode(answer.get("data").getAsString());
    }

    private JsonObject call(String method, Map<String, ?> parameters) throws Exception {
        return call(method, new com.google.gson.Gson().toJsonTree(parameters).getAsJsonObject());
    }

    private JsonObject call(String method, JsonObject parameters) throws Exception {
        JsonObject message = new JsonObject();
        message.addProperty("id", ++lastId);
        message.addProperty("method", method);
        message.add("params", parameters);
        socket.sendText(message.toString(), true).join();
        while (true) {
            String text = listener.messages.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            if (text == null) {
                throw new IOException("the browser does not answer to " + method);
            }
            JsonObject answer = JsonParser.parseString(text).getAsJsonObject();
            if (answer.has("id") && answer.get("id").getAsInt() == lastId) {
                if (answer.has("error")) {
                    throw new IOException(method + ": " + answer.get("error"));
                }
                return answer.getAsJsonObject("result");
            }
        }
    }

    @Override
    public void close() throws Exception {
        socket.abort();
        List<ProcessHandle> helpers = process.descendants().toList();
        process.destroy();
        if (!process.waitFor(10, TimeUnit.SECONDS)) {
            process.destroyForcibly().waitFor();
        }
        for (ProcessHandle helper : helpers) { // they write into the profile as long as they live
            helper.destroyForcibly();
            helper.onExit().get(10, TimeUnit.SECONDS);
        }
    }

    /** Puts the parts of messages together. */
    private static final class Listener implements WebSocket.Listener {

        private final BlockingQueue<String> messages = new LinkedBlockingQueue<>();
        private final StringBuilder begun = new StringBuilder();

        @Override
        public CompletionStage<?> onText(WebSocket webSocket, CharSequence data, boolean last) {
            begun.append(data);
            if (last) {
                messages.add(begun.toString());
                begun.setLength(0);
            }
            webSocket.request(1);
            return null;
        }
    }
}
