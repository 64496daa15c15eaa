package io.peft4j.adapters;

import ai.djl.engine.Engine;
import io.peft4j.torch.TorchRuntime;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;

/** What runs here, for a provenance. */
final class LibraryVersions {

    static final Map<String, String> CURRENT =
            Map.of(
                    "peft4j", ownVersion(),
                    "djl", Engine.getDjlVersion(),
                    "engine", "PyTorch",
                    "engine.version", TorchRuntime.version(),
                    "engine.flavor", TorchRuntime.flavor(),
                    "java", Runtime.version().toString());

    private LibraryVersions() {}

    private static String ownVersion() {
        Properties versions = new Properties();
        try (InputStream in =
                Objects.requireNonNull(
                        LibraryVersions.class.getResourceAsStream("version.properties"),
                        "version.properties is not beside this class")) {
            versions.load(in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return versions.getProperty("peft4j");
    }
}
