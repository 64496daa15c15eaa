package io.peft4j.hub;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The hub's endpoints on this machine, and its storage on another port, with faults to order.
 *
 * <p>Files in {@link #large} are answered with a redirect to the storage and named by their
 * SHA-256, as the hub does with large file storage; the others lie on the hub, named as git does.
 */
final class LoopbackHub implements AutoCloseable {

    static final String REPOSITORY = "org/name";
    static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";

    /** A request as it came; {@code host} is hub or storage. */
    record Request(String host, String method, String path, Map<String, List<String>> headers) {

        String header(String name) {
            return headers.entrySet().stream()
                    .filter(entry -> entry.getKey().equalsIgnoreCase(name))
                    .map(entry -> entry.getValue().get(0))
                    .findFirst()
                    .orElse("");
        }
    }

    /** What goes wrong with one answer that carries a file. */
    interface Fault {
        /** Answers instead of the server, or returns false to let it. */
        boolean answer(HttpExchange exchange, byte[] body) throws IOException;
    }

    final Map<String, byte[]> files = new LinkedHashMap<>();
    final List<String> large = new ArrayList<>();
    final List<String> alsoListed = new ArrayList<>();
    final Map<String, String> etags = new HashMap<>();
    final Map<String, Long> sizes = new HashMap<>();
    final List<Request> requests = new CopyOnWriteArrayList<>();
    final Map<String, Queue<Fault>> faults = new ConcurrentHashMap<>();

    volatile String commit = COMMIT;
    volatile boolean ranges = true;
    volatile boolean headTellsSize = true;
    volatile boolean storageHasOwnSecret;

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final HttpServer hub;
    private final HttpServer storage;
    private volatile int signature;

    LoopbackHub() throws IOException {
        hub = server("hub", this::answerAsHub);
        storage = server("storage", this::answerAsStorage);
    }

    private interface Handler {
        void handle(HttpExchange exchange) throws IOException;
    }

    private HttpServer server(String host, Handler handler) throws IOException {
        HttpServer server =
                HttpServer.create(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0), 0);
        server.setExecutor(threads);
        server.createContext(
                "/",
                exchange -> {
                    requests.add(
                            new Request(
                                    host,
                                    exchange.getRequestMethod(),
                                    exchange.getRequestURI().toString(),
                                    Map.copyOf(exchange.getRequestHeaders())));
                    try {
                        handler.handle(exchange);
                    } finally {
                        exchange.close();
                    }
                });
        server.start();
        return server;
    }

    String url() {
        return "http://127.0.0.1:" + hub.getAddress().getPort();
    }

    /** Orders a fault for the next answers with a file, one after the other. */
    void fault(String file, Fault... next) {
        faults.computeIfAbsent(file, name -> new ConcurrentLinkedQueue<>()).addAll(List.of(next));
    }

    /** Lets URLs of the storage that were given so far run out. */
    void expireStorageUrls() {
        signature++;
        storageHasOwnSecret = true;
    }

    static Fault cutAfter(int bytes) {
        return (exchange, body) -> {
            exchange.sendResponseHeaders(status(exchange), body.length);
            exchange.getResponseBody().write(body, 0, Math.min(bytes, body.length));
            exchange.getResponseBody().flush();
            return true; // closing an unfinished answer cuts the connection
        };
    }

    static Fault silentAfter(int bytes, int millis) {
        return (exchange, body) -> {
            exchange.sendResponseHeaders(status(exchange), body.length);
            exchange.getResponseBody().write(body, 0, Math.min(bytes, body.length));
            exchange.getResponseBody().flush();
            sleep(millis);
            return true;
        };
    }

    static Fault status(int code, String... headers) {
        return (exchange, body) -> {
            for (int i = 0; i < headers.length; i += 2) {
                exchange.getResponseHeaders().set(headers[i], headers[i + 1]);
            }
            exchange.sendResponseHeaders(code, -1);
            return true;
        };
    }

    private static int status(HttpExchange exchange) {
        return exchange.getResponseHeaders().containsKey("Content-Range") ? 206 : 200;
    }

    static void sleep(int millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    List<Request> requests(String host, String method, String part) {
        return requests.stream()
                .filter(r -> r.host.equals(host) && r.method.equals(method))
                .filter(r -> r.path.contains(part))
                .toList();
    }

    String etag(String name) {
        byte[] bytes = files.get(name);
        return etags.getOrDefault(name, large.contains(name) ? sha256(bytes) : gitSha1(bytes));
    }

    private void answerAsHub(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        if (path.startsWith("/api/models/")) {
            answerListing(exchange, path.substring("/api/models/".length()));
            return;
        }
        Matcher resolve = Pattern.compile("/" + REPOSITORY + "/resolve/([^/]+)/(.+)").matcher(path);
        if (!resolve.matches() || !resolve.group(1).equals(commit)) {
            exchange.sendResponseHeaders(404, -1);
            return;
        }
        String name = resolve.group(2);
        exchange.getResponseHeaders().set("X-Repo-Commit", commit);
        byte[] body = files.get(name);
        if (body == null) {
            exchange.getResponseHeaders().set("X-Error-Code", "EntryNotFound");
            exchange.sendResponseHeaders(404, -1);
        } else if (large.contains(name)) {
            exchange.getResponseHeaders().set("X-Linked-Etag", '"' + etag(name) + '"');
            exchange.getResponseHeaders().set("X-Linked-Size", size(name));
            exchange.getResponseHeaders().set("ETag", "\"of-the-redirect\"");
            exchange.getResponseHeaders()
                    .set(
                            "Location",
                            "http://127.0.0.1:"
                                    + storage.getAddress().getPort()
                                    + "/store/"
                                    + name
                                    + "?signature=secret"
                                    + signature);
            exchange.sendResponseHeaders(302, -1);
        } else {
            exchange.getResponseHeaders().set("ETag", '"' + etag(name) + '"');
            send(exchange, name, body);
        }
    }

    private void answerListing(HttpExchange exchange, String path) throws IOException {
        Fault fault = next("listing");
        if (fault != null && fault.answer(exchange, new byte[0])) {
            return;
        }
        if (!path.startsWith(REPOSITORY + "/revision/")) {
            exchange.getResponseHeaders().set("X-Error-Code", "RepoNotFound");
            exchange.sendResponseHeaders(404, -1);
            return;
        }
        String revision =
                URLDecoder.decode(
                        path.substring((REPOSITORY + "/revision/").length()),
                        StandardCharsets.UTF_8);
        if (!List.of("main", "v1", "refs/pr/1", commit).contains(revision)) {
            exchange.getResponseHeaders().set("X-Error-Code", "RevisionNotFound");
            exchange.sendResponseHeaders(404, -1);
            return;
        }
        JsonObject json = new JsonObject();
        json.addProperty("id", REPOSITORY);
        json.addProperty("sha", commit);
        JsonArray siblings = new JsonArray();
        List<String> names = new ArrayList<>(files.keySet());
        names.addAll(alsoListed);
        for (String name : names) {
            JsonObject sibling = new JsonObject();
            sibling.addProperty("rfilename", name);
            siblings.add(sibling);
        }
        json.add("siblings", siblings);
        byte[] body = json.toString().getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
    }

    private void answerAsStorage(HttpExchange exchange) throws IOException {
        String name = exchange.getRequestURI().getPath().substring("/store/".length());
        if (storageHasOwnSecret
                && !exchange.getRequestURI().getQuery().equals("signature=secret" + signature)) {
            exchange.sendResponseHeaders(403, -1);
            return;
        }
        exchange.getResponseHeaders().set("ETag", "\"stored-" + sha256(files.get(name)) + '"');
        send(exchange, name, files.get(name));
    }

    private void send(HttpExchange exchange, String name, byte[] whole) throws IOException {
        if (exchange.getRequestMethod().equals("HEAD")) {
            if (headTellsSize) {
                exchange.getResponseHeaders().set("Content-Length", size(name));
            }
            exchange.sendResponseHeaders(200, -1);
            return;
        }
        byte[] body = whole;
        String range = exchange.getRequestHeaders().getFirst("Range");
        String condition = exchange.getRequestHeaders().getFirst("If-Range");
        boolean same =
                condition == null
                        || condition.equals(exchange.getResponseHeaders().getFirst("ETag"));
        if (range != null && ranges && same) {
            Matcher bytes = Pattern.compile("bytes=(\\d+)-(\\d*)").matcher(range);
            if (!bytes.matches() || Long.parseLong(bytes.group(1)) >= whole.length) {
                exchange.sendResponseHeaders(416, -1);
                return;
            }
            int start = Integer.parseInt(bytes.group(1));
            int end =
                    bytes.group(2).isEmpty()
                            ? whole.length
                            : (int) Math.min(whole.length, Long.parseLong(bytes.group(2)) + 1);
            body = Arrays.copyOfRange(whole, start, end);
            exchange.getResponseHeaders()
                    .set("Content-Range", "bytes " + start + "-" + (end - 1) + "/" + whole.length);
        }
        Fault fault = next(name);
        if (fault != null && fault.answer(exchange, body)) {
            return;
        }
        exchange.sendResponseHeaders(status(exchange), body.length == 0 ? -1 : body.length);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(body);
        }
    }

    private Fault next(String file) {
        Queue<Fault> waiting = faults.getOrDefault(file, new ArrayDeque<>());
        return waiting.poll();
    }

    private String size(String name) {
        return Long.toString(sizes.getOrDefault(name, (long) files.get(name).length));
    }

    static String sha256(byte[] bytes) {
        return hex("SHA-256", bytes);
    }

    static String gitSha1(byte[] bytes) {
        byte[] head = ("blob " + bytes.length + "\0").getBytes(StandardCharsets.US_ASCII);
        byte[] all = Arrays.copyOf(head, head.length + bytes.length);
        System.arraycopy(bytes, 0, all, head.length, bytes.length);
        return hex("SHA-1", all);
    }

    private static String hex(String algorithm, byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance(algorithm).digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new UncheckedIOException(new IOException(e));
        }
    }

    @Override
    public void close() {
        hub.stop(0);
        storage.stop(0);
        threads.shutdownNow();
    }
}
