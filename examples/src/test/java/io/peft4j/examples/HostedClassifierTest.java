package io.peft4j.examples;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import io.peft4j.testdata.TestData;
import java.io.ByteArrayOutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class HostedClassifierTest {

    private static final Path ENCODER = TestData.path("golden/torchscript/encoder");

    @TempDir private Path directory;

    @Test
    void anEncoderFromAServerLearnsToClassify() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            zip.putNextEntry(new ZipEntry("encoder.pt"));
            zip.write(Files.readAllBytes(ENCODER.resolve("encoder.pt")));
        }
        HttpServer server =
                HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext(
                "/",
                exchange -> {
                    boolean head = exchange.getRequestMethod().equals("HEAD");
                    exchange.sendResponseHeaders(200, head ? -1 : bytes.size());
                    if (!head) {
                        exchange.getResponseBody().write(bytes.toByteArray());
                    }
                    exchange.close();
                });
        server.start();
        String before = System.getProperty("DJL_CACHE_DIR");
        System.setProperty("DJL_CACHE_DIR", directory.resolve("cache").toString());
        try {
            double accuracy =
                    HostedClassifier.runExample(
                            "http://127.0.0.1:" + server.getAddress().getPort() + "/encoder.zip",
                            ENCODER.resolve("tokenizer.json"),
                            ENCODER.resolve("train.tsv"),
                            ENCODER.resolve("test.tsv"),
                            directory.resolve("adapter"));
            assertThat(accuracy).isGreaterThan(0.9);
            assertThat(directory.resolve("adapter/adapter_model.safetensors")).exists();
        } finally {
            server.stop(0);
            if (before == null) {
                System.clearProperty("DJL_CACHE_DIR");
            } else {
                System.setProperty("DJL_CACHE_DIR", before);
            }
        }
    }
}
