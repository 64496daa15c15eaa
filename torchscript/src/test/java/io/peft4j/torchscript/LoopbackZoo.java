package io.peft4j.torchscript;

import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** A server on the loopback address with the layout of DJL's model zoo. */
final class LoopbackZoo implements AutoCloseable {

    private static final String PLACE = "/model/nlp/text_embedding/io/peft4j/test/encoder/";

    private final HttpServer server;
    private final Map<String, byte[]> files = new ConcurrentHashMap<>();

    LoopbackZoo(Path archive, String arguments) throws IOException {
        byte[] zip = zip(archive);
        files.put(PLACE + "0.0.1/encoder.zip", zip);
        files.put("/plain/encoder.zip", zip);
        files.put(PLACE + "metadata.json", metadata(zip, arguments));
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext(
                "/",
                exchange -> {
                    byte[] content = files.get(exchange.getRequestURI().getPath());
                    exchange.sendResponseHeaders(
                            content == null ? 404 : 200, content == null ? -1 : content.length);
                    if (content != null) {
                        exchange.getResponseBody().write(content);
                    }
                    exchange.close();
                });
        server.start();
    }

    private static byte[] zip(Path archive) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
            zip.putNextEntry(new ZipEntry("encoder.pt"));
            zip.write(Files.readAllBytes(archive));
            zip.closeEntry();
        }
        return bytes.toByteArray();
    }

    private static byte[] metadata(byte[] zip, String arguments) {
        String sha1;
        try {
            sha1 = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-1").digest(zip));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
        return """
        {"metadataVersion": "0.2", "resourceType": "model", "application": "nlp/text_embedding",
         "groupId": "io.peft4j.test", "artifactId": "encoder", "name": "encoder",
         "description": "a traced encoder", "website": "http://localhost", "licenses": {},
         "artifacts": [{"version": "0.0.1", "snapshot": false, "name": "encoder",
           "arguments": {%s}, "options": {"hasParameter": "false"},
           "files": {"model": {"uri": "0.0.1/encoder.zip", "name": "", "type": "dir",
             "sha1Hash": "%s", "size": %d}}}]}
        """
                .formatted(arguments, sha1, zip.length)
                .getBytes(StandardCharsets.UTF_8);
    }

    String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
