package io.peft4j.examples;

import com.sun.net.httpserver.HttpServer;
import io.peft4j.testdata.TestData;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** A server on the loopback address that has a traced encoder, and the files that belong to it. */
final class HostedEncoder implements AutoCloseable {

    private static final Path DIRECTORY = TestData.path("golden/torchscript/encoder");

    private final HttpServer server;
    private final AtomicInteger downloads = new AtomicInteger();

    HostedEncoder() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            zip.putNextEntry(new ZipEntry("encoder.pt"));
            zip.write(Files.readAllBytes(file("encoder.pt")));
        }
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext(
                "/",
                exchange -> {
                    boolean head = exchange.getRequestMethod().equals("HEAD");
                    exchange.sendResponseHeaders(200, head ? -1 : bytes.size());
                    if (!head) {
                        downloads.incrementAndGet();
                        exchange.getResponseBody().write(bytes.toByteArray());
                    }
                    exchange.close();
                });
        server.start();
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort() + "/encoder.zip";
    }

    /** How often the archive was fetched. */
    int downloads() {
        return downloads.get();
    }

    /** One of encoder.pt, tokenizer.json, train.tsv and test.tsv. */
    static Path file(String name) {
        return DIRECTORY.resolve(name);
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
